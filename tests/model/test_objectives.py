from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from tiny_models import Kind, Tiny

from afters.errors import ModelError
from afters.model.load import load, prompter_of
from afters.model.objectives import holes, in_two, with_holes
from afters.model.prompt import Prompter, PromptTooLong
from afters.model.vocabulary import learn
from afters.records import Example, Objective
from afters.seeds import stream

LENGTHS = (1, 2, 3, 7, 20, 33, 512)

TEXT = "Thank you for inviting me to your party last week ."


def text(
    prompt: str = TEXT, *, objective: Objective = "span_corruption", draw: int = 0, whole: bool = False
) -> Example:
    cuttable = None if whole else (0, len(prompt))
    return Example(
        id="1",
        task="texts",
        source="texts.jsonl:1",
        content=prompt,
        wording="text",
        prompt=prompt,
        references=(prompt,),
        choices=(prompt,),
        cuttable=cuttable,
        objective=objective,
        draw=draw,
    )


def test_the_published_example_comes_out() -> None:
    """Raffel et al. 2020, figure 2."""
    words = [*TEXT.split(), "<X>", "<Y>", "<Z>"]
    made = with_holes(range(11), [(2, 4), (8, 9)], sentinels=[11, 12, 13])
    assert " ".join(words[place] for place in made.read) == "Thank you <X> me to your party <Y> week ."
    assert " ".join(words[place] for place in made.written) == "<X> for inviting <Y> last <Z>"


@pytest.mark.parametrize("length", LENGTHS)
def test_a_text_can_be_put_together_again(length: int) -> None:
    sentinels = list(range(1000, 1100))
    for row in range(40):
        ids = list(range(length))
        spans = holes(length, chance=stream(row), most=99)
        read, written = with_holes(ids, spans, sentinels=sentinels)
        hidden = dict(pairwise([place for place, token in enumerate(written) if token >= 1000]))
        fillings = {written[start]: written[start + 1 : end] for start, end in hidden.items()}
        assert [one for token in read for one in (fillings[token] if token >= 1000 else [token])] == ids
        assert written[-1] == sentinels[len(spans)] and written[-1] not in read


@pytest.mark.parametrize("length", LENGTHS)
def test_fifteen_in_a_hundred_tokens_are_hidden_in_spans_of_three(length: int) -> None:
    for row in range(40):
        spans = holes(length, chance=stream(row), most=99)
        hidden = sum(end - start for start, end in spans)
        assert hidden == max(1, round(0.15 * length))
        assert abs(hidden / len(spans) - 3) <= 1 or hidden < 5
        assert all(end < start for (_, end), (start, _) in pairwise(spans)), "a token stands between any two spans"
        assert spans[0][0] >= 0 and spans[-1][1] <= length


def test_there_are_never_more_holes_than_sentinels() -> None:
    spans = holes(1000, chance=stream(1), most=9)
    assert len(spans) == 9 and sum(end - start for start, end in spans) == 150


def test_every_place_is_hidden_as_often_as_every_way_of_hiding_is_drawn() -> None:
    """Of seven tokens one is hidden, each as often; of 33, five in two spans, in 4 * 406 ways that are all as often."""
    found = Counter(holes(7, chance=stream(row), most=9)[0] for row in range(3500))
    assert set(found) == {(place, place + 1) for place in range(7)}
    assert all(abs(count - 500) < 5 * np.sqrt(500) for count in found.values())
    sizes = Counter(holes(33, chance=stream(row), most=9)[0] for row in range(4000))
    by_size = Counter[int]()
    for (start, end), count in sizes.items():
        by_size[end - start] += count
    assert all(abs(by_size[size] - 1000) < 5 * np.sqrt(1000) for size in (1, 2, 3, 4))
    starts = Counter(start for (start, _), count in sizes.items() for _ in range(count))
    ways = Counter(first for first, _ in combinations(range(29), 2))
    assert all(abs(starts[place] - 4000 * ways[place] / 406) < 5 * np.sqrt(4000 / 14) for place in range(28))


def test_a_text_is_cut_in_two_at_any_place() -> None:
    cuts = Counter(len(in_two(range(5), chance=stream(row)).read) for row in range(400))
    assert set(cuts) == {1, 2, 3, 4}
    made = in_two(range(5), chance=stream(3))
    assert made.read + made.written == [0, 1, 2, 3, 4]
    assert in_two([7], chance=stream(0)) == ([], [7])


# As a model reads it


def t5(*, limit: int = 512) -> Prompter:
    tokenizer = learn([TEXT], size=400, encoder_decoder=True)
    return Prompter(tokenizer, encoder_decoder=True, max_prompt_tokens=limit)


def test_a_text_with_holes_is_read_and_what_stood_in_them_is_taught_up_to_the_end() -> None:
    made = t5()
    read, taught = made.prompt(text()).ids, made.taught(text())
    first, second = made.tokenizer.convert_tokens_to_ids(["<extra_id_0>", "<extra_id_1>"])
    end = made.tokenizer.eos_token_id
    assert read.count(first) == taught.count(first) == 1 and taught[0] == first
    assert read[-1] == end and taught[-1] == end and taught.count(end) == 1
    assert taught[-2] not in read and taught[-2] in made.tokenizer.convert_tokens_to_ids(
        [f"<extra_id_{number}>" for number in range(100)]
    )
    assert made.choices(text()) == (taught[:-1],)
    assert second in taught


def test_holes_are_the_same_for_the_same_draw_alone() -> None:
    made = t5()
    reads = {made.prompt(text(TEXT * 3, draw=draw)).ids for draw in range(20)}
    assert len(reads) > 10
    assert made.prompt(text(draw=3)).ids == t5().prompt(text(draw=3)).ids


def test_a_sentinel_in_a_text_stays_text() -> None:
    made = t5()
    spelled = text("A text of <extra_id_0> and </s> and <extra_id_1> to be hidden in part, and no more than that.")
    numbers = made.tokenizer.convert_tokens_to_ids(["<extra_id_0>", "</s>"])
    assert [made.prompt(spelled).ids.count(number) for number in numbers] == [1, 1]


def test_a_long_text_is_cut_where_it_may_be() -> None:
    long = text(TEXT * 20)
    made = t5(limit=50)
    whole = len(t5(limit=5000)._plain(TEXT * 20))
    prompt = made.prompt(long)
    assert len(prompt.ids) <= 50 and prompt.tokens_cut == whole - 49
    with pytest.raises(PromptTooLong):
        made.prompt(text(TEXT * 20, whole=True))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2"])
def test_a_decoder_is_taught_the_whole_text_after_its_start(tiny: Tiny, kind: Kind) -> None:
    made = prompter_of(tiny(kind))
    asked = text("Is it cold outside?", objective="continuation")
    assert made.taught(asked)[:-1] == made.choices(asked)[0] == made._plain("Is it cold outside?")
    assert len(made.prompt(asked).ids) == 1 and made.taught(asked)[-1] == made.end_ids[0]


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_reads_the_first_part_and_the_decoder_goes_on(tiny: Tiny, kind: Kind) -> None:
    made = prompter_of(tiny(kind))
    asked = text("Is it cold outside? Ann wants it sent.", objective="continuation", draw=5)
    before, after = made._before, made._after
    read = made.prompt(asked).ids[len(before) : len(made.prompt(asked).ids) - len(after)]
    written = made.choices(asked)[0][len(before) :]
    assert read and written and (*read, *written) == made._plain(asked.prompt)


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "gpt2"])
def test_a_text_that_was_cut_is_taught_without_an_end(tiny: Tiny, kind: Kind) -> None:
    made = prompter_of(tiny(kind), max_prompt_tokens=12)
    short, long = (text(said, objective="continuation", draw=5) for said in ("No.", "Is it cold outside? " * 9))
    ends = {*made.end_ids, *made._after}
    assert made.prompt(short).tokens_cut == 0 and made.taught(short)[-1] in ends
    assert made.prompt(long).tokens_cut > 0
    assert made.taught(long) == made.choices(long)[0] and made.taught(long)[-1] not in ends


def test_what_stood_in_the_holes_of_a_cut_text_ends_all_the_same() -> None:
    made = t5(limit=50)
    assert made.prompt(text(TEXT * 20)).tokens_cut > 0
    assert made.taught(text(TEXT * 20)) == (*made.choices(text(TEXT * 20))[0], made.tokenizer.eos_token_id)


def test_a_limit_that_leaves_nothing_of_a_text_is_told(tiny: Tiny) -> None:
    with pytest.raises(PromptTooLong):
        prompter_of(tiny("llama"), max_prompt_tokens=1).taught(text(objective="continuation"))


@pytest.mark.parametrize(("kind", "received"), [("llama", "a decoder alone"), ("bart", "no such tokens")])
def test_a_model_without_sentinels_is_refused_with_the_way_out(tiny: Tiny, kind: Kind, received: str) -> None:
    with pytest.raises(ModelError, match="span corruption") as caught:
        prompter_of(tiny(kind)).prompt(text())
    assert caught.value.received == received and "continuation" in str(caught.value)


def test_the_hidden_part_is_what_a_model_is_scored_on(tiny: Tiny) -> None:
    from afters.model.answering import Answerer

    loaded = load(tiny("llama"), precision="fp32")
    asked = text("Is it cold outside?", objective="continuation")
    ((made,),) = Answerer(loaded).loglikelihood([asked])
    plain = Example("1", "t", "s", "", "", "", ("x",), choices=("Is it cold outside?",))
    ((same,),) = Answerer(loaded).loglikelihood([plain])
    assert made.choices == same.choices
