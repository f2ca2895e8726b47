from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_tokenizers import gpt2, llama_2
from tiny_models import KINDS, Kind, Tiny
from transformers import AutoTokenizer

from afters.errors import ModelError
from afters.model.load import prompter_of
from afters.model.prompt import DEFAULT_MAX_PROMPT_TOKENS, Prompter, PromptTooLong, default_max_prompt_tokens
from afters.records import Example, Shot

CONTROLS = ("<s>", "</s>", "<pad>", "<unk>", "<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Every control token of every tiny tokenizer, as a user might write it."""

SHOTS = (Shot("Is it cold?", "yes"), Shot("Is the lamp new?", "no"), Shot("Is the kettle broken?", "yes"))

WIDE = 10_000
"""A limit that no prompt here reaches."""


def example(prompt: str = "Is the parcel late?", **fields: Any) -> Example:
    return Example("1", "chats", "chats.csv:2", prompt, "0", prompt, ("yes",), **fields)


def prompter(tiny: Tiny, kind: Kind, *, limit: int = WIDE) -> Prompter:
    """Give one for a model without a last position, so that `limit` alone decides."""
    made = prompter_of(tiny(kind), max_prompt_tokens=limit)
    made.positions = None
    return made


def control_ids(prompter: Prompter) -> set[int]:
    return set(prompter.tokenizer.added_tokens_decoder)


def controls_in(ids: tuple[int, ...], prompter: Prompter) -> list[int]:
    """The control tokens in their order; an unknown character counts as text."""
    unknown = prompter.tokenizer.unk_token_id
    return [token for token in ids if token in control_ids(prompter) - {unknown}]


@pytest.mark.parametrize("kind", KINDS)
def test_control_tokens_in_a_users_text_stay_text(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    hostile = "".join(CONTROLS) + " and " + " ".join(CONTROLS)
    plain = made.prompt(example("x", system="x", shots=(Shot("x", "x"),)))
    spoiled = made.prompt(example(hostile, system=hostile, shots=(Shot(hostile, hostile),)))
    assert controls_in(spoiled.ids, made) == controls_in(plain.ids, made)
    assert controls_in(made.answer(hostile), made) == controls_in(made.answer("x"), made)
    assert controls_in(made.choice(hostile), made) == controls_in(made.choice("x"), made)


@pytest.mark.parametrize("kind", ["bart", "llama", "gpt2", "qwen2"])
def test_a_written_control_token_is_read_back_as_its_letters(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    for text in CONTROLS:
        assert made.text(made.answer(text)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_read_back_as_they_were_written(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    for text in ("yes", "Ann wants it sent to her office on Tuesday.", "no , she wo n't ."):
        unknown_to_t5 = text.replace("'", "") if kind.startswith("t5") else text
        assert made.text(made.answer(text)) == unknown_to_t5


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_has_the_control_tokens_of_its_family_once(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    names = made.tokenizer.convert_ids_to_tokens(controls_in(made.prompt(example(shots=SHOTS[:1])).ids, made))
    turn = ["<|im_start|>", "<|im_end|>"]
    expected = {"t5": ["</s>"], "bart": ["<s>", "</s>"], "llama": ["<s>"], "gpt2": []}
    assert names == expected.get(kind.removesuffix("-untied"), [*turn, *turn, *turn, "<|im_start|>"])


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "gpt2"])
def test_a_prompt_is_what_the_tokenizer_itself_makes_of_its_layout(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    text = "Answer.\n\nIs it cold?\nyes\n\nIs the parcel late?"
    tokenizer = AutoTokenizer.from_pretrained(tiny(kind))
    expected = tokenizer(text if made.encoder_decoder else text + "\n").input_ids
    assert list(made.prompt(example(system="Answer.", shots=SHOTS[:1])).ids) == expected


@pytest.mark.parametrize(
    ("kind", "end"), [("t5", "</s>"), ("bart", "</s>"), ("llama", "</s>"), ("gpt2", "<|endoftext|>")]
)
def test_an_answer_ends_with_the_token_that_ends_generation(tiny: Tiny, kind: Kind, end: str) -> None:
    made = prompter(tiny, kind)
    number = made.tokenizer.convert_tokens_to_ids(end)
    assert made.end_ids == (number,)
    assert made.answer("yes")[-1] == number
    assert made.answer("yes").count(number) == 1
    assert made.answer("yes")[:-1] == made.choice("yes"), "a choice is an answer without its end"


def test_an_encoder_decoder_whose_tokenizer_adds_no_end_is_taught_one(tiny: Tiny) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny("gpt2"))
    made = Prompter(tokenizer, encoder_decoder=True, max_prompt_tokens=WIDE)
    assert made.answer("yes")[-1] == tokenizer.eos_token_id


# With a chat template


def messages(told: Example) -> list[dict[str, str]]:
    system = [{"role": "system", "content": told.system}] if told.system else []
    turns = [
        turn
        for shot in told.shots
        for turn in ({"role": "user", "content": shot.question}, {"role": "assistant", "content": shot.answer})
    ]
    return [*system, *turns, {"role": "user", "content": told.prompt}]


def test_a_chat_prompt_is_what_the_template_makes_of_harmless_text(tiny: Tiny) -> None:
    made = prompter(tiny, "qwen2")
    for told in (example(), example(system="You are helpful."), example(system="Be short.", shots=SHOTS)):
        expected = made.tokenizer.apply_chat_template(messages(told), add_generation_prompt=True)["input_ids"]
        assert list(made.prompt(told).ids) == expected


def test_an_answer_ends_a_chat_turn(tiny: Tiny) -> None:
    """Qwen's base tokenizers name another token as their end of text; Gemma's end of turn has no role of its own."""
    made = prompter(tiny, "qwen2")
    turn, text = made.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert made.end_ids == (turn, text)
    assert made.answer("yes")[-1] == turn
    told = [*messages(example()), {"role": "assistant", "content": "yes"}]
    whole = made.tokenizer.apply_chat_template(told)["input_ids"]
    taught = [*made.prompt(example()).ids, *made.answer("yes")]
    assert whole[: len(taught)] == taught, "what is taught is a chat as the template writes it"


def with_template(tiny: Tiny, template: str) -> Prompter:
    tokenizer = AutoTokenizer.from_pretrained(tiny("llama"))
    tokenizer.chat_template = template
    return Prompter(tokenizer, encoder_decoder=False, max_prompt_tokens=WIDE)


TURNS = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}{% endfor %}"


def test_a_template_that_writes_the_start_itself_does_not_get_two(tiny: Tiny) -> None:
    made = with_template(tiny, "{{ bos_token }}" + TURNS)
    assert made.prompt(example(shots=SHOTS)).ids.count(made.tokenizer.bos_token_id) == 1


def test_a_template_without_an_end_of_turn_ends_with_the_end_of_text(tiny: Tiny) -> None:
    made = with_template(tiny, TURNS)
    assert made.end_ids == (made.tokenizer.eos_token_id,)


def test_a_template_that_leaves_a_message_out_or_refuses_it_is_told(tiny: Tiny) -> None:
    made = with_template(
        tiny, "{% for message in messages if message['role'] != 'system' %}{{ message['content'] }}{% endfor %}"
    )
    made.prompt(example())
    with pytest.raises(ModelError, match="leaves a message out"):
        made.prompt(example(system="Be short."))
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TURNS
    made = with_template(tiny, refusing)
    made.prompt(example())
    with pytest.raises(ModelError, match="refuses") as caught:
        made.prompt(example(system="Be short."))
    assert caught.value.received == "no system role"


# What fits


@pytest.mark.parametrize("kind", KINDS)
def test_whole_shots_are_dropped_last_first_until_the_prompt_fits(tiny: Tiny, kind: Kind) -> None:
    told = example(system="Be short.", shots=SHOTS)
    with_shots = [prompter(tiny, kind).prompt(replace(told, shots=SHOTS[:count])).ids for count in range(4)]
    sizes = [len(ids) for ids in with_shots]
    assert sizes == sorted(set(sizes))
    for count in range(3):
        for limit in (sizes[count], sizes[count + 1] - 1):
            made = prompter(tiny, kind, limit=limit).prompt(told)
            assert (made.ids, made.shots_used, made.tokens_cut) == (with_shots[count], count, 0)
    assert prompter(tiny, kind, limit=sizes[3]).prompt(told).shots_used == 3


def test_shots_leave_room_for_the_answer_where_both_share_positions(tiny: Tiny) -> None:
    told = example(shots=SHOTS)
    sizes = [len(prompter(tiny, "gpt2").prompt(replace(told, shots=SHOTS[:count])).ids) for count in range(4)]
    made = prompter_of(tiny("gpt2"), max_prompt_tokens=WIDE)
    assert made.positions == 128
    longest = 128 - sizes[2]
    assert made.prompt(told).shots_used == 3
    assert made.prompt(told, answer_tokens=longest).shots_used == 2
    assert made.prompt(told, answer_tokens=longest + 1).shots_used == 1
    choices = replace(told, choices=("yes", "7" * longest))
    assert len(made.choices(choices)[1]) == longest, "each digit is a token"
    assert made.prompt(choices).shots_used == 2
    assert made.prompt(choices, answer_tokens=longest + 1).shots_used == 1


def test_virtual_tokens_take_places_of_a_decoder(tiny: Tiny) -> None:
    assert prompter_of(tiny("gpt2"), virtual_tokens=20).positions == 108
    assert prompter_of(tiny("t5"), virtual_tokens=20).positions is None


def test_an_answer_keeps_its_spaces_whatever_the_tokenizer_would_tidy(tiny: Tiny, tmp_path: Path) -> None:
    AutoTokenizer.from_pretrained(tiny("t5"), clean_up_tokenization_spaces=True).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    made = Prompter(tokenizer, encoder_decoder=True, max_prompt_tokens=WIDE)
    spaced = "the parcel is late ."
    assert tokenizer.decode(made.answer(spaced), skip_special_tokens=True) == "the parcel is late."
    assert made.text(made.answer(spaced)) == spaced


BEFORE, SPAN, AFTER = "Summarise: ", "Ann wants the parcel. The lamp is broken, and she is not at home.", "\nSummary?"


def cuttable(span: str = SPAN) -> Example:
    return example(BEFORE + span + AFTER, cuttable=(len(BEFORE), len(BEFORE) + len(span)))


@pytest.mark.parametrize("kind", ["bart", "llama", "gpt2", "qwen2"])
def test_only_the_cuttable_span_is_cut_and_only_at_its_end(tiny: Tiny, kind: Kind) -> None:
    whole = prompter(tiny, kind).prompt(cuttable())
    bare = prompter(tiny, kind).prompt(example(BEFORE + AFTER))
    kept_before = len(SPAN)
    for limit in range(len(whole.ids), len(bare.ids) + 1, -1):
        made = prompter(tiny, kind, limit=limit)
        cut = made.prompt(cuttable())
        text = made.text(cut.ids)
        _, _, rest = text.partition(BEFORE)
        kept, _, _ = rest.partition(AFTER)
        assert limit - 3 <= len(cut.ids) <= limit, "no more is cut than has to be"
        assert SPAN.startswith(kept)
        assert len(kept) <= kept_before
        assert BEFORE + kept + AFTER in text
        assert (cut.tokens_cut > 0) == (kept != SPAN)
        kept_before = len(kept)
    assert kept_before < 8


def test_a_cut_never_splits_a_character(tiny: Tiny) -> None:
    """Byte-level tokenizers write one emoji as several tokens."""
    whole = prompter(tiny, "gpt2").prompt(cuttable("🙂🙃" * 8))
    for limit in range(len(whole.ids) - 1, len(whole.ids) - 20, -1):
        made = prompter(tiny, "gpt2", limit=limit)
        assert "\ufffd" not in made.text(made.prompt(cuttable("🙂🙃" * 8)).ids)


def test_shots_go_before_the_text_is_cut(tiny: Tiny) -> None:
    told = replace(cuttable(), shots=SHOTS)
    alone = prompter(tiny, "t5").prompt(cuttable())
    made = prompter(tiny, "t5", limit=len(alone.ids) - 4).prompt(told)
    assert made.shots_used == 0
    assert 4 <= made.tokens_cut <= 6
    assert made.ids == prompter(tiny, "t5", limit=len(alone.ids) - 4).prompt(cuttable()).ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_cannot_fit_is_told_with_its_row_and_the_way_out(tiny: Tiny, kind: Kind) -> None:
    size = len(prompter(tiny, kind).prompt(example()).ids)
    with pytest.raises(PromptTooLong) as caught:
        prompter(tiny, kind, limit=size - 1).prompt(example())
    told = str(caught.value)
    assert told.startswith(f"chats.csv:2: a prompt of {size} tokens does not fit")
    assert f"at most {size - 1} tokens" in told
    assert "max_prompt_tokens" in told
    with pytest.raises(PromptTooLong):
        prompter(tiny, kind, limit=3).prompt(cuttable())


def test_the_hash_of_a_prompt_is_equal_exactly_when_the_model_reads_the_same(tiny: Tiny) -> None:
    made = prompter(tiny, "qwen2")
    assert made.prompt(example()).hash == made.prompt(replace(example(), id="2", task="other")).hash
    assert made.prompt(example()).hash != made.prompt(example(system="Be short.")).hash
    assert made.prompt(example()).hash != prompter(tiny, "llama").prompt(example()).hash


def test_the_default_limit_leaves_room_for_the_answer_where_both_share_positions() -> None:
    causal = {"max_position_embeddings": 256, "is_encoder_decoder": False}
    assert default_max_prompt_tokens(causal, max_new_tokens=64) == 192
    assert default_max_prompt_tokens({"n_positions": 512, "is_encoder_decoder": True}, max_new_tokens=64) == 512
    assert default_max_prompt_tokens({"is_encoder_decoder": True}, max_new_tokens=64) == DEFAULT_MAX_PROMPT_TOKENS
    assert default_max_prompt_tokens({"max_position_embeddings": 131072}, max_new_tokens=64) == 1024


@pytest.mark.parametrize("kind", KINDS)
def test_free_text_has_only_its_familys_control_tokens_before_it(tiny: Tiny, kind: Kind) -> None:
    made = prompter(tiny, kind)
    names = made.tokenizer.convert_ids_to_tokens(made.prompt(example("")).ids)
    before = {"t5": ["</s>"], "bart": ["<s>", "</s>"], "llama": ["<s>"]}
    assert names == before.get(kind.removesuffix("-untied"), [made.tokenizer.convert_ids_to_tokens(made.end_ids[0])])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_were_read_ahead_are_encoded_as_each_by_itself(tiny: Tiny, kind: Kind) -> None:
    hostile = "".join(CONTROLS) + " Über 3 Pakete"
    rows = [
        example(),
        example(hostile, system=hostile, shots=(Shot(hostile, hostile),), choices=("yes", hostile)),
        example("The parcel is late.", objective="continuation", draw=3),
        example(""),
    ]
    together, alone = prompter(tiny, kind), prompter(tiny, kind)
    together.read_ahead(rows)
    for row in rows:
        assert together.prompt(row) == alone.prompt(row)
        assert together.taught(row) == alone.taught(row)
        assert together.choices(row) == alone.choices(row)


@pytest.mark.data
@pytest.mark.parametrize("tokenizer", [gpt2, llama_2])
def test_real_tokenizers_encode_rows_together_as_each_by_itself(
    tokenizer: Callable[[Path], Any], data_folder: Path
) -> None:
    lines = (data_folder / "samsum" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [replace(example(row["dialogue"]), references=(row["summary"],)) for row in map(json.loads, lines)]
    together, alone = (
        Prompter(tokenizer(data_folder), encoder_decoder=False, max_prompt_tokens=WIDE) for _ in range(2)
    )
    together.read_ahead(rows)
    assert [together.prompt(row).ids for row in rows] == [alone.prompt(row).ids for row in rows]
    assert [together.taught(row) for row in rows] == [alone.taught(row) for row in rows]
