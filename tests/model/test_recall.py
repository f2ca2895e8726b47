"""A model's answers are taken from the cache when nothing that decides them has changed, and never otherwise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import SENTENCES, Kind, Tiny

from afters import records
from afters.model import recall
from afters.model.answering import Answerer
from afters.model.cache import AnswerCache
from afters.model.load import Loaded, load
from afters.model.parallel import Processes
from afters.records import Decoding, Example, Prediction

DECODING = Decoding(max_new_tokens=6)
BUDGET = 150
"""Tokens: several batches, most of several rows."""


@pytest.fixture
def cache(tmp_path: Path) -> AnswerCache:
    return AnswerCache(tmp_path / "cache" / "answers.sqlite", most_bytes=2**24, tell=pytest.fail)


@pytest.fixture
def loaded(tiny: Tiny) -> Loaded:
    return load(tiny("t5"), precision="fp32")


def examples(*choices: str) -> list[Example]:
    texts = [text[: 12 + 9 * index] for index, text in enumerate([*SENTENCES, *SENTENCES])]
    return [
        Example(str(index), "chats", f"chats.csv:{index}", text, "0", text, ("yes",), choices=choices)
        for index, text in enumerate(texts)
    ]


def written(
    loaded: Loaded,
    cache: AnswerCache,
    asked: Sequence[Example] | None = None,
    *,
    budget: int = BUDGET,
    decoding: Decoding = DECODING,
) -> list[Prediction]:
    answerer = Answerer(loaded, token_budget=budget, cache=cache)
    return sorted(sum(answerer.generate(asked or examples(), decoding), []), key=lambda made: int(made.example))


def scored(
    loaded: Loaded, cache: AnswerCache, asked: Sequence[Example] | None = None, *, budget: int = BUDGET
) -> list[Prediction]:
    answerer = Answerer(loaded, token_budget=budget, cache=cache)
    return sorted(sum(answerer.loglikelihood(asked or examples("yes", "no")), []), key=lambda made: int(made.example))


Ask = Callable[..., list[Prediction]]
"""`written` or `scored`."""

both = pytest.mark.parametrize("ask", [written, scored])


def known(made: Sequence[Prediction]) -> set[bool]:
    return {one.from_cache for one in made}


def deaf(loaded: Loaded) -> Loaded:
    """The same model, which cannot be asked any more."""
    nobody: Any = None
    return replace(loaded, network=nobody)


@both
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_was_asked_is_not_asked_again_and_is_the_same(
    ask: Ask, tiny: Tiny, cache: AnswerCache, precision: Any
) -> None:
    loaded = load(tiny("llama"), precision=precision)
    first = ask(loaded, cache)
    assert known(first) == {False} and len(first) == 8
    again = ask(deaf(load(tiny("llama"), precision=precision)), cache)
    assert again == [replace(one, from_cache=True) for one in first]


def test_without_a_cache_nothing_is_looked_up_or_kept(loaded: Loaded) -> None:
    for _ in range(2):
        assert known(sum(Answerer(loaded).generate(examples(), DECODING), [])) == {False}


def copied(loaded: Loaded, to: Path) -> Path:
    return Path(shutil.copytree(loaded.folder, to / "copy"))


def with_one_weight_changed(loaded: Loaded, to: Path) -> Loaded:
    weights = load_file(copied(loaded, to) / "model.safetensors")
    weights["shared.weight"][0, 0] += 1e-6
    save_file(weights, to / "copy" / "model.safetensors", metadata={"format": "pt"})
    return load(to / "copy", precision="fp32")


def with_another_configuration(loaded: Loaded, to: Path) -> Loaded:
    path = copied(loaded, to) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "layer_norm_epsilon": 2e-6}))
    return load(to / "copy", precision="fp32")


def with_another_tokenizer(loaded: Loaded, to: Path) -> Loaded:
    path = copied(loaded, to) / "tokenizer.json"
    path.write_text(path.read_text() + "\n")
    return load(to / "copy", precision="fp32")


def with_an_adapter(loaded: Loaded, to: Path) -> Loaded:
    wrapped = peft.get_peft_model(load(loaded.folder).network.module, peft.LoraConfig(target_modules=["q"]))
    wrapped.save_pretrained(to / "adapter")
    return load(loaded.folder, precision="fp32", adapter=to / "adapter")


def in_bf16(loaded: Loaded, to: Path) -> Loaded:
    return load(loaded.folder, precision="bf16")


def with_other_attention(loaded: Loaded, to: Path) -> Loaded:
    return replace(loaded, identity={**loaded.identity, "attention": "eager"})


def on_another_device(loaded: Loaded, to: Path) -> Loaded:
    return replace(loaded, identity={**loaded.identity, "device": "cuda"})


@both
@pytest.mark.parametrize(
    "changed",
    [
        with_one_weight_changed,
        with_another_configuration,
        with_another_tokenizer,
        with_an_adapter,
        in_bf16,
        with_other_attention,
        on_another_device,
    ],
)
def test_no_model_gets_another_one_s_answers(
    ask: Ask, changed: Callable[[Loaded, Path], Loaded], loaded: Loaded, cache: AnswerCache, tmp_path: Path
) -> None:
    ask(loaded, cache)
    assert known(ask(changed(loaded, tmp_path), cache)) == {False}
    assert known(ask(deaf(loaded), cache)) == {True}, "and its own are still there"


@both
@pytest.mark.parametrize("changed", ["version", "source", "records", "library"])
def test_other_code_asks_again(
    ask: Ask, changed: str, loaded: Loaded, cache: AnswerCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(loaded, cache)
    recall.code.cache_clear()
    with monkeypatch.context() as patched:
        if changed == "version":
            patched.setattr(recall, "__version__", "0.0.0")
        elif changed == "library":
            patched.setattr(recall, "version", lambda name: "9.9" if name == "transformers" else version(name))
        elif changed == "records":
            (tmp_path / "records.py").write_text("# changed\n")
            patched.setattr(records, "__file__", str(tmp_path / "records.py"))
        else:
            room = Path(shutil.copytree(Path(recall.__file__).parent, tmp_path / "model"))
            with (room / "network.py").open("a") as file:
                file.write("# changed\n")
            patched.setattr(recall, "__file__", str(room / "recall.py"))
        assert known(ask(loaded, cache)) == {False}
    recall.code.cache_clear()
    assert known(ask(deaf(loaded), cache)) == {True}


@both
def test_in_4_bits_another_bitsandbytes_asks_again(
    ask: Ask, loaded: Loaded, cache: AnswerCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(number: str) -> None:
        monkeypatch.setattr(recall, "version", lambda name: number if name == "bitsandbytes" else version(name))

    packed = replace(loaded, identity={**loaded.identity, "precision": "bf16 over 4bit"})
    for number, from_cache in (("1", False), ("1", True), ("2", False)):
        other(number)
        assert known(ask(packed, cache)) == {from_cache}
    ask(loaded, cache)
    other("3")
    assert known(ask(loaded, cache)) == {True}, "which other precisions do not compute with"


def test_another_question_is_asked(loaded: Loaded, cache: AnswerCache) -> None:
    written(loaded, cache)
    scored(loaded, cache)
    for decoding in (
        Decoding(max_new_tokens=5),
        Decoding(max_new_tokens=6, stop=(".",)),
        Decoding(max_new_tokens=6, method="sample"),
        Decoding(max_new_tokens=6, method="sample", seed=1),
        Decoding(max_new_tokens=6, method="sample", temperature=0.5),
        Decoding(max_new_tokens=6, method="beam"),
        Decoding(max_new_tokens=6, method="beam", beams=2),
    ):
        assert known(written(loaded, cache, decoding=decoding)) == {False}, decoding
    assert known(written(deaf(loaded), cache, decoding=Decoding(max_new_tokens=6, beams=2))) == {True}, "not read"
    other = [replace(one, prompt=one.prompt + "?") for one in examples("yes", "no")]
    assert known(written(loaded, cache, other)) == {False}
    assert known(scored(loaded, cache, other)) == {False}
    assert known(scored(loaded, cache, examples("yes", "nay"))) == {False}
    assert known(scored(loaded, cache, examples("no", "yes"))) == {False}


def test_what_the_example_and_its_prompt_say_is_not_taken_from_another(loaded: Loaded, cache: AnswerCache) -> None:
    [first] = written(loaded, cache, [replace(examples()[0], id="1", prompt="Call me back")])
    longer = Example("2", "chats", "", "", "0", "Call me back after five", ("no",), cuttable=(12, 23))
    short = replace(loaded, prompter=load(loaded.folder, max_prompt_tokens=first.prompt_tokens).prompter)
    [second] = written(deaf(short), cache, [longer])
    assert (first.tokens_cut, second.tokens_cut > 0) == (0, True)
    same = {name: value for name, value in asdict(first).items() if name not in recall.NOT_THE_MODELS}
    assert same.items() <= asdict(second).items()
    assert (second.example, second.from_cache, second.prompt_hash) == ("2", True, first.prompt_hash)


def test_how_long_a_prompt_may_be_changes_no_answer(loaded: Loaded, cache: AnswerCache) -> None:
    written(loaded, cache)
    assert known(written(deaf(load(loaded.folder, precision="fp32", max_prompt_tokens=999)), cache)) == {True}


@pytest.mark.parametrize(
    ("ask", "precision", "asked_again"),
    [(written, "fp32", False), (scored, "fp32", True), (written, "bf16", True), (scored, "bf16", True)],
)
def test_another_batch_asks_again_only_where_last_bits_count(
    ask: Ask, precision: Any, asked_again: bool, tiny: Tiny, cache: AnswerCache
) -> None:
    loaded = load(tiny("t5"), precision=precision)
    ask(loaded, cache, budget=100_000)
    assert known(ask(loaded, cache, budget=1)) == {not asked_again}


def test_rows_of_equal_length_in_another_order_are_another_batch(tiny: Tiny, cache: AnswerCache) -> None:
    loaded = load(tiny("t5"), precision="bf16")
    rows = [replace(examples()[0], id=str(row), prompt=f"Call me {row}") for row in range(3)]
    assert known(written(loaded, cache, rows)) == {False}
    assert known(written(loaded, cache, rows[::-1])) == {False}
    assert known(written(loaded, cache, rows)) == {True}


def test_another_number_of_threads_asks_again_only_where_last_bits_count(loaded: Loaded, cache: AnswerCache) -> None:
    written(loaded, cache)
    scored(loaded, cache)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert known(written(deaf(loaded), cache)) == {True}
        assert known(scored(loaded, cache)) == {False}
    finally:
        torch.set_num_threads(threads)


def test_what_is_sampled_is_drawn_for_its_example(loaded: Loaded, cache: AnswerCache) -> None:
    sampling = Decoding(max_new_tokens=6, method="sample")
    twins = [replace(examples()[0], id=name) for name in ("1", "2")]
    for decoding, answers in ((DECODING, 1), (sampling, 3)):
        written(loaded, cache, twins, decoding=decoding)
        size = cache.size()
        assert size is not None and size.answers == answers
    written(loaded, cache, decoding=sampling)
    assert known(written(loaded, cache, decoding=sampling)) == {True}
    others = [replace(one, id=f"1{one.id}") for one in examples()]
    assert known(written(loaded, cache, others, decoding=sampling)) == {False}


def test_a_batch_of_which_a_row_is_not_known_is_asked_whole(loaded: Loaded, cache: AnswerCache) -> None:
    batches = list(Answerer(loaded, token_budget=BUDGET).generate(examples(), DECODING))
    several = next(batch for batch in batches if len(batch) > 1)
    names = {one.example for batch in batches for one in batch} - {several[0].example}
    written(loaded, cache, [one for one in examples() if one.id in names])
    again = list(Answerer(loaded, token_budget=BUDGET, cache=cache).generate(examples(), DECODING))
    assert [known(batch) for batch in again] == [{batch != several} for batch in batches]


@both
def test_killed_between_batches_nothing_whole_is_asked_twice(ask: Ask, loaded: Loaded, cache: AnswerCache) -> None:
    answerer = Answerer(loaded, token_budget=BUDGET, cache=cache)
    if ask is written:
        going = answerer.generate(examples(), DECODING)
    else:
        going = answerer.loglikelihood(examples("yes", "no"))
    asked = {one.example for one in [*next(going), *next(going)]}
    going.close()  # type: ignore[attr-defined]
    again = ask(loaded, cache)
    assert {one.example for one in again if one.from_cache} == asked
    assert 0 < len(asked) < len(again)


def test_a_damaged_cache_gives_the_answers_of_none(loaded: Loaded, tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "answers.sqlite").write_text("not a database " * 500)
    broken = AnswerCache(tmp_path / "answers.sqlite", most_bytes=2**20, tell=said.append)
    plain = sum(Answerer(loaded, token_budget=BUDGET).generate(examples(), DECODING), [])
    made = written(loaded, broken)
    assert {one.example: one.answers for one in made} == {one.example: one.answers for one in plain}
    assert known(made) == {False} and len(said) == 1


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_a_model_that_is_taught_has_no_cache(kind: Kind, tiny: Tiny, cache: AnswerCache) -> None:
    with pytest.raises(AssertionError, match="weights that change"):
        Answerer(load(tiny(kind), for_training=True), cache=cache)


class Second(Processes):
    """The second of two, whose first says nothing."""

    def gathered(self, content: Any) -> list[Any]:
        return [[], json.loads(json.dumps(content))]


def test_of_several_processes_the_one_whose_turn_it_is_looks_and_keeps(loaded: Loaded, cache: AnswerCache) -> None:
    answerer = Answerer(loaded, token_budget=BUDGET, processes=Second(rank=1, count=2), cache=cache)
    batches = list(Answerer(loaded, token_budget=BUDGET).generate(examples(), DECODING))
    own = [[one.example for one in batch] for batch in batches[1::2]]
    for from_cache in (False, True):
        made = list(answerer.generate(examples(), DECODING))
        assert [[one.example for one in batch] for batch in made] == own
        assert known(sum(made, [])) == {from_cache}
    assert {one.example for one in written(loaded, cache) if one.from_cache} == set(sum(own, []))
