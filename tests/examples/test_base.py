"""The recipe of afters-tiny: its grammar, its prose, its tokenizer, its start, and the model that is shipped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5ForConditionalGeneration

from afters.model.prompt import Prompter
from afters.records import Example, Shot
from afters.seeds import stream
from examples.base import material, prose, start, tokenizer
from examples.base.begin import shape
from examples.base.grammar import LAYOUTS, TASKS, Row, row
from examples.base.ship import MAX_BYTES
from examples.base.slots import DRAWERS, facts, slots_of
from examples.base.tables import blocks

TINY = Path(__file__).resolve().parents[2] / "src" / "afters" / "model" / "tiny"
shipped = pytest.mark.skipif(not (TINY / "model.safetensors").is_file(), reason="afters-tiny is not made yet")

PROSE = (
    "The ferry left at noon. Nobody had told the captain about the bridge! He went on reading. In the evening the "
    "lamps were lit, and a boy came with the letters. There were three of them, all of them wet.",
    "It was a small house with a green door. My aunt had lived there for forty years. She kept bees, and she knew "
    'every one of them, or said so. "They tell me things," she said. We believed her.',
)

AWKWARD = (
    "Anna: Hi!\nBob: It's £40, €3.50 or $1,200.00 (50%) #A-12 @home & more.",
    "  two spaces,\ttab\n\n\nthree line breaks\n",
    " a leading space",
    "naïve café, Ærø, 漢字, emoji 🙂, </s> and <extra_id_0> as text",
    "ALL CAPS, MixedCase, x=1_000; [a|b] {c} ~d~ \\e/",
    "",
)


def rows(task: str, *, count: int = 40, seed: int = 3) -> list[Row]:
    return [row(seed, index, prose=PROSE, task=task) for index in range(count)]


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    texts = [*PROSE, *(f"{found.prompt}\n{found.answer}" for name in TASKS for found in rows(name, count=10))]
    return tokenizer.train(texts, size=700)


# The grammar


def test_a_row_is_a_function_of_seed_number_and_prose() -> None:
    assert [row(5, index, prose=PROSE) for index in range(30)] == [row(5, index, prose=PROSE) for index in range(30)]
    assert row(5, 17, prose=PROSE) != row(6, 17, prose=PROSE)


@pytest.mark.parametrize("task", TASKS)
def test_no_slot_stays_open_and_no_answer_is_empty(task: str) -> None:
    for found in rows(task):
        assert not slots_of([found.answer]) and not slots_of([found.prompt]), found
        assert found.answer.strip() == found.answer != "", found


@pytest.mark.parametrize(
    "task", ["nth_sentence", "sentence_with", "hidden", "complete", "repeat", "look_up", "form_field"]
)
def test_what_is_to_be_copied_stands_in_the_text(task: str) -> None:
    for found in rows(task):
        assert found.answer in found.text, found


@pytest.mark.parametrize("task", ["look_up_several", "form_several"])
def test_what_is_asked_together_stands_in_the_text_too(task: str) -> None:
    for found in rows(task):
        parts = re.split("; |\n", found.answer)
        assert len(parts) >= 2 and all(part in found.text for part in parts), found


def test_several_questions_have_as_many_answers() -> None:
    for found in rows("questions"):
        assert found.prompt.count("?") >= found.answer.count("\n") + 1, found


def test_the_form_of_a_meeting_is_filled_from_what_was_said() -> None:
    for found in rows("meeting_form"):
        assert all(line.split(": ", 1)[1] in found.text for line in found.answer.splitlines()), found


@pytest.mark.parametrize("task", ["values", "list_people", "list_things", "list_places", "list_days"])
def test_a_list_names_what_stands_in_the_text_once_and_in_its_order(task: str) -> None:
    for found in rows(task):
        # A date may hold a comma before its year.
        items = re.split(r", (?!\d{4}(?!-))", found.answer)
        places = [found.text.index(item) for item in items]
        assert places == sorted(places), found
        assert len(set(items)) == len(items), found


def test_every_name_and_number_of_a_summary_stands_in_the_conversation() -> None:
    for found in rows("summary", count=200):
        for word in re.findall(r"[A-Z][a-z]+|\d[\d.,:/-]*\d|\d", found.answer):
            assert word in found.text or word in ("The", "For", "Visits", "They", "It", "A"), (word, found)


def test_passive_and_active_undo_each_other() -> None:
    for index in range(20):
        into, back = rows("passive")[index], rows("active")[index]
        assert into.text.split()[0] in into.answer.split(" by ")[1]
        assert back.answer.split()[0] in back.text.split(" by ")[1]


def test_the_third_person_keeps_everything_but_the_speaker() -> None:
    for found in rows("third_person"):
        assert not re.search(r"\b(I|my)\b", found.answer), found
        kept = [word for word in found.text.split() if word not in ("I", "my")]
        assert [word for word in found.answer.split() if word in kept] == kept, found


def test_sums_and_orders_are_right() -> None:
    for found in rows("addition"):
        first, second = map(int, re.findall(r"\d+", found.text))
        assert int(found.answer) == first + second
    for found in rows("in_order"):
        before, after = found.text.split(", "), found.answer.split(", ")
        assert sorted(before) == sorted(after)
        assert after == sorted(after, key=int if after[0].isdigit() else str)


def test_yes_and_no_come_about_equally_often() -> None:
    answers = [found.answer for found in rows("yes_or_no", count=200)]
    assert set(answers) == {"yes", "no"}
    assert 60 < answers.count("yes") < 140


def test_every_summary_and_headline_can_come() -> None:
    chance = stream(1, "gists")
    for name in ("conversations", "reports", "meetings"):
        for block in blocks(name):
            gists = [gist for line in block if line.startswith(material.GIST) for gist in line[3:].split(" | ")]
            lines = [line for line in block if not line.startswith((material.GIST, material.FORM))]
            assert gists, block
            for gist in gists:
                # `_worded` draws until the gist fits; here each gist alone must be reachable.
                _, drawn = material._worded(chance, (*lines, material.GIST + gist))
                assert drawn == gist


def test_values_of_one_text_are_never_alike() -> None:
    for index in range(200):
        drawn = facts(["person", "person2", "person3", "thing", "amount", "amount2"], stream(2, "facts", index))
        assert len({value.split()[0] for value in drawn.values()}) == len(drawn)


def test_telephone_numbers_and_addresses_belong_to_nobody() -> None:
    chance = stream(3, "nobody")
    for _ in range(100):
        assert DRAWERS["phone"](chance).startswith(("01632 ", "555-"))
        assert re.search(r"@example\.(com|org|net)$", DRAWERS["email"](chance))


def test_shots_are_laid_out_as_the_house_lays_them_out(pieces: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(pieces, tmp_path)
    prompter = Prompter(AutoTokenizer.from_pretrained(tmp_path), encoder_decoder=True, max_prompt_tokens=2000)
    with_shots = next(found for found in rows("addition", count=200) if found.prompt.count("\n\n") >= 2)
    blocks_, asked = _parted(with_shots.prompt)
    shots = tuple(Shot(*block.rsplit("\n", 1)) for block in blocks_)
    example = Example("1", "t", "s", "c", "w", asked, ("a",), shots=shots)
    in_one = replace(example, prompt=with_shots.prompt, shots=())
    assert prompter.prompt(example).ids == prompter.prompt(in_one).ids


def _parted(prompt: str) -> tuple[list[str], str]:
    """Cut a prompt of additions after each solved one, which ends in a line with nothing but the sum."""
    parts = re.split(r"(?<=\n\d)\n\n|(?<=\n\d\d)\n\n", prompt)
    return parts[:-1], parts[-1]


def test_every_layout_holds_the_instruction_and_the_text() -> None:
    assert all("{instruction}" in layout and "{text}" in layout for layout in LAYOUTS)


# The prose


def test_protected_authors_and_late_books_are_not_taught() -> None:
    taught = {text.file: text.taught for text in prose.TEXTS}
    assert not taught["Forster_Howards_1910.txt"]  # died 1970
    assert not taught["Galsworthy_River_1933.txt"]  # published 1933
    assert not taught["Chesterton_Thursday_1908.txt"]  # the exam
    assert taught["Bennet_Imperial_1930.txt"]
    assert taught["nltk_inaugural.txt"]


@pytest.mark.data
def test_the_table_knows_every_novel(data_folder: Path) -> None:
    novels = {path.name for path in (data_folder / "novels_text_1").iterdir()}
    assert novels == {text.file for text in prose.TEXTS if (data_folder / "novels_text_1" / text.file).exists()}


def test_passages_are_runs_of_whole_sentences_on_one_line() -> None:
    raw = "\ufeffMr. Gray came in.\nHe said:\n“It is\nlate.” Nobody answered! The ťbroken one. Good night."
    assert prose.passages(raw, characters=20) == [
        'Mr. Gray came in. He said: "It is late."',
        "Nobody answered! Good night.",
    ]


# The tokenizer


@pytest.mark.parametrize("text", AWKWARD)
def test_any_text_comes_back_as_it_was(text: str, pieces: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(pieces, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    ids = loaded(text, split_special_tokens=True, add_special_tokens=False).input_ids
    assert loaded.decode(ids) == text


def test_a_name_has_the_same_pieces_at_the_start_of_a_line_and_inside_it(pieces: Tokenizer) -> None:
    name = pieces.encode("Zorvella", add_special_tokens=False).ids
    inside = pieces.encode("it is\nZorvella and Zorvella", add_special_tokens=False).ids
    assert _times(name, inside) == 2


def _times(part: Sequence[int], ids: Sequence[int]) -> int:
    return sum(list(ids[place : place + len(part)]) == list(part) for place in range(len(ids)))


def test_every_digit_and_line_break_is_a_piece_of_its_own(pieces: Tokenizer) -> None:
    assert pieces.encode("1974\n20", add_special_tokens=False).tokens == ["Ġ", *"1974", "Ċ", "Ġ", *"20"]


def test_pad_end_and_unknown_are_where_t5_has_them(pieces: Tokenizer) -> None:
    assert [pieces.id_to_token(number) for number in range(3)] == ["<pad>", "</s>", "<unk>"]
    assert pieces.encode("a").ids[-1] == 1


# The start


def test_the_model_can_copy_before_it_is_taught() -> None:
    torch.manual_seed(0)
    model: Any = T5ForConditionalGeneration(shape()).eval()
    unaided = _continued(model)
    start.lay_in_copying(model, seed=0)
    assert unaided < 0.1
    assert _continued(model) > 0.8


@torch.no_grad()
def _continued(model: Any) -> float:
    """The share of pieces that a model continues rightly from two pieces of a text of random pieces."""
    chance = torch.Generator().manual_seed(1)
    source = torch.randint(40, 4000, (20, 60), generator=chance)
    copied = source[:, 20:30]  # (texts, time)
    begun = torch.cat([torch.zeros_like(copied[:, :1]), copied], dim=1)
    guessed = model(input_ids=source, decoder_input_ids=begun).logits.argmax(-1)
    return float((guessed[:, 2:-1] == copied[:, 2:]).float().mean())


# What is shipped


@shipped
def test_the_shipped_files_are_small_and_readable_by_anyone() -> None:
    assert (TINY / "model.safetensors").stat().st_size <= MAX_BYTES
    assert {path.name for path in TINY.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "README.md"),
    }


@shipped
@pytest.mark.parametrize("text", AWKWARD)
def test_the_shipped_tokenizer_is_lossless(text: str) -> None:
    loaded = AutoTokenizer.from_pretrained(TINY)
    ids = loaded(text, split_special_tokens=True, add_special_tokens=False).input_ids
    assert loaded.decode(ids) == text


@shipped
def test_the_shipped_model_answers_from_the_text_with_plain_transformers() -> None:
    loaded = AutoTokenizer.from_pretrained(TINY)
    model = AutoModelForSeq2SeqLM.from_pretrained(TINY).eval()
    asked = [found for task in ("passive", "active", "list_amounts") for found in rows(task, count=5, seed=11)]
    right = 0
    for found in asked:
        ids = model.generate(**loaded(found.prompt, return_tensors="pt"), max_new_tokens=64, do_sample=False)
        right += loaded.decode(ids[0], skip_special_tokens=True).strip() == found.answer
    # Its card says that it is right in five of six such rows.
    assert right >= 9
