"""A model behind a server: what it is asked, what is made of its replies, and what is told when none comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from serving import Asked, FakeServer, Said, log_of, serving, tokens_of

from afters.errors import ModelError
from afters.model.address import KEYS
from afters.model.endpoint import BATCH_ROWS, Endpoint
from afters.model.protocol import LanguageModel
from afters.records import Decoding, Example, Prediction, Shot
from afters.testing import examples

KEY = "sk-very-secret-1234567890"
GREEDY = Decoding(max_new_tokens=5)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    with serving(FakeServer()) as made:
        yield made


class Waits(list[float]):
    """Writes pauses down instead of making them."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def rows(count: int, *, choices: tuple[str, ...] = ()) -> list[Example]:
    return examples(*((f"Say number{place}", f"number{place}") for place in range(count)), choices=choices)


def all_of(batches: Iterator[list[Prediction]]) -> list[Prediction]:
    return [one for batch in batches for one in batch]


def said(model: Endpoint, asked: list[Example], decoding: Decoding = GREEDY) -> dict[str, str]:
    return {one.example: one.answers[0] for one in all_of(model.generate(asked, decoding))}


def test_it_answers_the_protocol_and_is_known_before_it_is_asked(server: FakeServer) -> None:
    with Endpoint(f"{server.url}#echo-1") as endpoint:
        model: LanguageModel = endpoint
        assert model.identity == {"weights": "echo-1", "endpoint": server.url, "interface": "chat"}
        assert not server.asked


def test_a_chat_is_asked_in_turns_and_its_answer_is_told_with_its_counts(server: FakeServer) -> None:
    (row,) = examples(("Is it cold?", "yes"))
    row = replace(row, system="Be brief.", shots=(Shot("Warm?", "no"),))
    with Endpoint(server.address) as model:
        (one,) = all_of(model.generate([row], replace(GREEDY, stop=("\n",))))
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "echo-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Warm?"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": "Is it cold?"},
        ],
        **{"max_tokens": 5, "temperature": 0, "stop": ["\n"]},
    }
    assert (one.answers, one.prompt_tokens, one.new_tokens, one.finished) == (("cold?",), 3, 1, True)
    assert (one.shots_used, one.prompt_hash, one.answered_by) == (1, "", "echo-1")


def test_a_model_without_chat_is_asked_in_one_text(server: FakeServer) -> None:
    (row,) = examples(("Is it cold?", "yes"))
    with Endpoint(f"completions:{server.address}") as model:
        assert said(model, [replace(row, shots=(Shot("Warm?", "no"),))]) == {"0": "cold?"}
        assert model.identity["interface"] == "completions"
    assert (server.asked[0].path, server.asked[0].prompt) == ("/v1/completions", "Warm?\nno\n\nIs it cold?\n")


def test_sampling_is_asked_for_with_a_seed_for_each_row(server: FakeServer) -> None:
    sampled = Decoding(max_new_tokens=5, method="sample", temperature=0.7, top_p=0.9, answers=3, seed=4)
    with Endpoint(server.address) as model:
        first, _ = all_of(model.generate(rows(2), sampled))
    assert len(first.answers) == 3
    wishes = [{name: asked.body[name] for name in ("temperature", "top_p", "n")} for asked in server.asked]
    assert wishes == [{"temperature": 0.7, "top_p": 0.9, "n": 3}] * 2
    assert len({asked.body["seed"] for asked in server.asked}) == 2


def test_what_a_server_cannot_be_asked_is_refused_before_it_is(server: FakeServer) -> None:
    (row,) = rows(1)
    with Endpoint(server.address) as model:
        with pytest.raises(ModelError, match="beam search"):
            list(model.generate([row], Decoding(method="beam")))
        text = replace(row, objective="continuation")
        for batches in (model.generate([text], GREEDY), model.loglikelihood([text])):
            with pytest.raises(ModelError, match="without a question"):
                list(batches)
    assert not server.asked


def test_an_answer_at_the_limit_is_not_finished_and_none_is_an_empty_one(server: FakeServer) -> None:
    server.answer = lambda asked: server.written(asked, "half an", reason="length")
    with Endpoint(server.address) as model:
        assert not all_of(model.generate(rows(1), GREEDY))[0].finished
        choices = [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]
        server.next.append(Said({"model": "echo-1", "choices": choices}))
        (one,) = all_of(model.generate(rows(1), GREEDY))
    assert (one.answers, one.finished, one.prompt_tokens, one.new_tokens) == (("",), True, 0, 0)


def test_newer_servers_are_told_the_limit_by_its_newer_name_from_then_on(server: FakeServer) -> None:
    def picky(asked: Asked) -> Said | None:
        told = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
        return Said({"error": {"message": told}}, 400) if "max_tokens" in asked.body else None

    server.answer = picky
    with Endpoint(server.address, in_flight=1) as model:
        assert len(said(model, rows(3))) == 3
    assert ["max_tokens" in asked.body for asked in server.asked] == [True, False, False, False]
    assert server.asked[-1].body["max_completion_tokens"] == 5


def test_no_more_requests_are_in_flight_than_may_be(server: FakeServer) -> None:
    server.slow_seconds = 0.01
    with Endpoint(server.address, in_flight=3) as model:
        assert len(said(model, rows(24))) == 24
    assert 2 <= server.most_at_once <= 3


def test_batches_are_cut_by_the_rows_alone_and_only_what_is_not_known_is_asked(server: FakeServer) -> None:
    asked = rows(2 * BATCH_ROWS + 3)
    with Endpoint(server.address) as model:
        whole = [sorted(int(one.example) for one in batch) for batch in model.generate(asked, GREEDY)]
        assert sorted(whole) == [list(range(32)), list(range(32, 64)), [64, 65, 66]]
        server.asked.clear()
        done = {str(place) for place in range(BATCH_ROWS + 8)}
        rest = [sorted(int(one.example) for one in batch) for batch in model.generate(asked, GREEDY, done=done)]
    assert sorted(rest) == [list(range(40, 64)), [64, 65, 66]]
    assert len(server.asked) == 27


PASSING = [
    (Said({"error": {"message": "slow down"}}, 429), "429: slow down"),
    (Said("upstream is gone", 502), "502: upstream is gone"),
    (Said({"error": {"message": "boom"}}, 500), "500: boom"),
    (Said({"choices": [{"message": {"content": "half"}}]}, how="half"), "RemoteProtocolError"),
    (Said(how="nothing"), "RemoteProtocolError"),
    (Said('{"model": "echo-1", "choices": [{"mess'), 'no whole reply: \'{"model"'),
    (Said({"model": "echo-1", "choices": []}), "no whole reply"),
    (Said({"error": {"message": "busy"}}), "no whole reply"),
    (Said("[]"), "no whole reply: '[]'"),
    (Said(how="late"), "nothing within 0.2 seconds"),
]


@pytest.mark.parametrize(("trouble", "told"), PASSING, ids=lambda value: value if isinstance(value, str) else "")
def test_what_passes_is_asked_again_and_in_the_end_told_once(server: FakeServer, trouble: Said, told: str) -> None:
    server.next.append(trouble)
    waits = Waits()
    with Endpoint(server.address, timeout_seconds=0.2, tries=3, wait=waits, in_flight=1) as model:
        assert said(model, rows(2)) == {"0": "number0", "1": "number1"}
        assert len(server.asked) == 3 and len(waits) == 1
        server.next.extend([trouble] * 3)
        with pytest.raises(ModelError) as problem:
            said(model, rows(2))
    for part in (told, "asked 3 times", "0 of 2 answers", "run the same command", "task.csv:2", server.address):
        assert part in str(problem.value)


def test_pauses_double_with_a_jitter_that_is_the_same_each_time(server: FakeServer) -> None:
    pauses = []
    for _ in range(2):
        server.next.extend([Said(status=503)] * 5)
        waits = Waits()
        with Endpoint(server.address, wait=waits) as model:
            said(model, rows(1))
        pauses.append(list(waits))
    assert pauses[0] == pauses[1]
    assert all(2**place / 2 <= pause <= 2**place for place, pause in enumerate(pauses[0]))


def test_a_server_that_asks_for_time_gets_it_up_to_a_limit(server: FakeServer) -> None:
    dated = {"retry-after": "Wed, 21 Oct 2026 07:28:40 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    server.next.extend([Said(status=429, headers={"retry-after": "7"}), Said(status=503, headers=dated)])
    waits = Waits()
    with Endpoint(server.address, wait=waits) as model:
        said(model, rows(1))
        assert waits == [7.0, 40.0]
        server.next.append(Said({"error": {"message": "tomorrow"}}, 429, headers={"retry-after": "86400"}))
        with pytest.raises(ModelError, match="429: tomorrow"):
            said(model, rows(1))
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "AFTERS_API_KEY"), (403, "AFTERS_API_KEY"), (400, "400: too long"), (302, "302: too long")],
)
def test_what_does_not_pass_is_told_at_once(server: FakeServer, status: int, told: str) -> None:
    server.answer = lambda asked: Said({"error": {"message": "too long"}}, status)
    with Endpoint(server.address, wait=Waits(), in_flight=1) as model, pytest.raises(ModelError, match=told):
        said(model, rows(5))
    assert len(server.asked) == 1


def test_a_model_that_the_server_does_not_have_is_told_with_the_nearest(server: FakeServer) -> None:
    with (
        Endpoint(f"{server.url}#ehco-1", wait=Waits()) as model,
        pytest.raises(ModelError, match="did you mean 'echo-1'"),
    ):
        said(model, rows(1))


def test_the_reply_of_another_model_is_refused_unless_the_address_says_so(server: FakeServer) -> None:
    server.answer = lambda asked: server.written(asked, "yes", model="llama-3")
    with Endpoint(server.address, wait=Waits(), in_flight=1) as model:
        with pytest.raises(ModelError, match=r"(?s)another model answered.*'echo-1'.*'llama-3'.*#echo-1=llama-3"):
            said(model, rows(3))
    assert len(server.asked) == 1
    with Endpoint(f"{server.address}=llama-3") as model:
        assert said(model, rows(1)) == {"0": "yes"}
    server.answer = lambda asked: server.written(asked, "yes", model="echo-1-2026-07-18")
    with Endpoint(server.address) as model:
        assert all_of(model.generate(rows(1), GREEDY))[0].answered_by == "echo-1-2026-07-18"


def test_after_a_fault_what_has_come_is_kept_and_not_asked_again(server: FakeServer) -> None:
    asked = rows(BATCH_ROWS + 8)
    server.answer = lambda one: Said(status=500) if "number20" in one.prompt else None
    kept: dict[str, Prediction] = {}
    with Endpoint(server.address, wait=Waits(), in_flight=1, tries=2) as model:
        with pytest.raises(ModelError, match="20 of 40 answers have come"):
            for batch in model.generate(asked, GREEDY):
                kept.update((one.example, one) for one in batch)
        assert sorted(map(int, kept)) == list(range(20))
        server.answer = lambda one: None
        for batch in model.generate(asked, GREEDY, done=kept):
            kept.update((one.example, one) for one in batch)
    assert {name: one.answers[0] for name, one in kept.items()} == {str(place): f"number{place}" for place in range(40)}
    assert len(server.asked) == 20 + 2 + 20


@pytest.mark.parametrize("begins", ["", "<s>"])
@pytest.mark.parametrize("no_new_tokens", ["none", "refused", "usual"])
def test_a_choice_is_as_probable_as_its_tokens_say(server: FakeServer, begins: str, no_new_tokens: Any) -> None:
    server.begins, server.no_new_tokens = begins, no_new_tokens
    (row,) = examples(("Is the Zürich café cold?", "yes"), choices=("yes", "not at all", ""))
    with Endpoint(server.address) as model:
        (one,) = all_of(model.loglikelihood([replace(row, shots=(Shot("Warm?", "no"),))]))
    for choice, score in zip(row.choices, one.choices, strict=True):
        own = tokens_of(choice)
        assert (score.log_probability, score.tokens) == pytest.approx((sum(map(log_of, own)), len(own)))
    context = "Warm?\nno\n\nIs the Zürich café cold?\n"
    assert one.prompt_tokens == len(tokens_of(context)) + bool(begins)
    assert (one.shots_used, one.answered_by) == (1, "echo-1")
    assert [asked.prompt for asked in server.asked[-2:]] == [context + "yes", context + "not at all"]


def test_a_token_that_reaches_over_the_border_counts_whole(server: FakeServer) -> None:
    (row,) = examples(("Is it cold?", "yes"), choices=(" yes",))
    told = {"tokens": ["Is it", " cold", "?\n y", "es"], "token_logprobs": [None, -1.0, -2.0, -4.0]}
    told["text_offset"] = [0, 5, 10, 14]
    with Endpoint(server.address) as model:
        server.answer = lambda asked: (
            Said({"model": "echo-1", "choices": [{"text": asked.prompt, "logprobs": told}]})
            if "cold" in asked.prompt
            else None
        )
        (one,) = all_of(model.loglikelihood([row]))
    assert [(score.log_probability, score.tokens) for score in one.choices] == [(-6.0, 2)]


def test_tokens_that_do_not_spell_the_choice_are_told(server: FakeServer) -> None:
    (row,) = examples(("Is it cold?", "oui"), choices=("是",))
    told = {"tokens": ["Is", "�", "�", "�"], "token_logprobs": [None, -1.0, -2.0, -4.0], "text_offset": [0, 2, 3, 4]}
    with Endpoint(server.address) as model:
        server.answer = lambda asked: (
            Said({"choices": [{"text": asked.prompt, "logprobs": told}]}) if "cold" in asked.prompt else None
        )
        with pytest.raises(ModelError, match=r"task.csv:2: the server's tokens do not spell the choice"):
            all_of(model.loglikelihood([row]))


def test_a_text_without_anything_before_it_needs_a_server_that_begins_texts(server: FakeServer) -> None:
    (row,) = examples(("", "Cold."), choices=("Cold.",))
    with Endpoint(server.address) as model:
        with pytest.raises(ModelError, match="first token"):
            all_of(model.loglikelihood([row]))
        server.begins = "<s>"
        (one,) = all_of(model.loglikelihood([row]))
    assert (one.prompt_tokens, one.choices[0].tokens) == (1, 2)


@pytest.mark.parametrize(
    "reply",
    [
        Said({"error": {"message": "Only no echo is supported"}}, 500),
        Said({"error": {"message": "echo is not supported"}}, 400),
        Said("not found", 404),
        Said({"model": "echo-1", "choices": [{"text": " yes", "logprobs": {"content": []}}]}),
        Said({"model": "echo-1", "choices": [{"text": "Is the sky blue?\nyes", "logprobs": None}]}),
    ],
)
def test_a_server_without_log_probabilities_is_told_before_any_row_is_asked(server: FakeServer, reply: Said) -> None:
    server.answer = lambda asked: reply if asked.path.endswith("completions") else None
    with Endpoint(server.address, wait=Waits()) as model:
        with pytest.raises(ModelError, match=r"(?s)how probable a choice is.*echo and logprobs.*Leave `choices` out"):
            all_of(model.loglikelihood(rows(3, choices=("yes", "no"))))
    assert all(asked.prompt == "Is the sky blue?\nyes" for asked in server.asked if asked.body)


def test_a_server_that_is_busy_while_it_is_tried_out_is_waited_for(server: FakeServer) -> None:
    """Also after answers were written: their end had left it stopped."""
    with Endpoint(server.address, wait=Waits()) as model:
        said(model, rows(1))
        server.next.append(Said(status=503))
        assert len(all_of(model.loglikelihood(rows(2, choices=("yes", "no"))))) == 2


def test_it_is_tried_out_once_and_not_at_all_when_everything_is_known(server: FakeServer) -> None:
    asked = rows(3, choices=("yes", "no"))
    with Endpoint(server.address) as model:
        assert all_of(model.loglikelihood(asked, done={"0", "1", "2"})) == []
        assert not server.asked
        for _ in range(2):
            assert len(all_of(model.loglikelihood(asked))) == 3
    assert len(server.asked) == 1 + 2 * 3 * 2


def test_the_key_is_sent_and_stands_in_no_message_and_no_identity(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERS_API_KEY", KEY)
    troubles = [
        Said({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401),
        Said(f"Bearer {KEY} was sent", 500),
        Said({"error": KEY}, 400),
        Said(f'{{"key": "{KEY}"'),
        Said({"model": KEY, "choices": []}),
        Said(how="nothing"),
    ]
    for trouble in troubles:
        server.answer = lambda asked, trouble=trouble: trouble  # type: ignore[misc]
        with Endpoint(server.address, wait=Waits(), tries=2) as model:
            with pytest.raises(ModelError) as told:
                said(model, rows(1))
        assert KEY not in str(told.value) and KEY not in json.dumps(dict(model.identity))
        assert KEY not in repr(model)
    headers: list[Any] = [dict(asked.headers).get("authorization") for asked in server.asked]
    assert set(headers) == {f"Bearer {KEY}"}


def test_without_a_key_none_is_sent(server: FakeServer) -> None:
    with Endpoint(server.address) as model:
        said(model, rows(1))
    assert "authorization" not in {name.lower() for name in server.asked[0].headers}


def test_a_server_that_is_not_there_is_told() -> None:
    with Endpoint("http://127.0.0.1:9/v1#m", wait=Waits(), tries=2) as model:
        with pytest.raises(ModelError, match=r"(?s)no whole answer.*ConnectError"):
            said(model, rows(1))
