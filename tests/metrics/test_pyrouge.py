"""The oracles: stored figures of py-rouge, NLTK's tokenizer and stemmer, and counting by hand.

py-rouge itself no longer installs. Its figures for DialogSum's 500 test dialogues were computed once, outside this
project, by its algorithm (each human summary against the other two: 53.30, 26.68, 50.91; the first three utterances
against all three: 27.05, 6.75, 26.71). The paper prints 53.35, 26.72 and 50.84 for the humans (arXiv 2105.06762).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean

import pytest
from nltk.stem.porter import PorterStemmer
from nltk.tokenize import NLTKWordTokenizer

from afters.metrics.pyrouge import PyRouge, pooled, stems
from afters.records import Case, Example, Prediction


def case(answer: str | None, *references: str) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", references)
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def mean(cases: list[Case]) -> list[float]:
    rows = [PyRouge().observe(one) for one in cases]
    return [100 * fmean(column) for column in list(zip(*[row for row in rows if row], strict=True))[:-1]]


@pytest.mark.data
def test_dialogsum_scores_as_its_authors_scored_it(data_folder: Path) -> None:
    lines = (data_folder / "dialogsum" / "dialogsum.test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    told = [[row[f"summary{number}"] for number in (1, 2, 3)] for row in rows]
    human = [case(three[k], *(three[:k] + three[k + 1 :])) for three in told for k in range(3)]
    leads = [" ".join(row["dialogue"].split("\n")[:3]) for row in rows]
    lead = [case(first, *three) for first, three in zip(leads, told, strict=True)]
    assert len(human) == 1500
    assert mean(human) == pytest.approx([53.3, 26.7, 50.9], abs=0.15)
    assert mean(lead) == pytest.approx([27.05, 6.75, 26.7], abs=0.15)


def by_nltk(line: str) -> list[str]:
    """Clean, cut and stem as py-rouge does; a word that NLTK must not part wears underscores meanwhile."""
    cleaned = re.sub("[^A-Za-z0-9]", " ", line.lower()).replace("cannot", "_cannot_")
    stem = PorterStemmer(PorterStemmer.ORIGINAL_ALGORITHM).stem
    cut = NLTKWordTokenizer().tokenize(cleaned)
    return [(stem(word) if len(word) > 3 else word).replace("_cannot_", "cannot") for word in cut]


@pytest.mark.parametrize(
    "line",
    [
        "I'm gonna lemme go, don't wanna; gotta gimme! I cannot. CANNOT can not",
        "Gonna-be wannabe gottas wan na ungonna gonna_x gonnaé",
        "d'ye whaddya 'tis more'n o'clock",
        "Happily enjoying 1,200 relational skies... Zoë's a_b İstanbul",
        "wanna",
        "",
    ],
)
def test_words_and_stems_are_those_of_nltks_tokenizer_and_original_algorithm(line: str) -> None:
    assert stems(line) == by_nltk(line)


@pytest.mark.data
def test_dialogues_are_cut_and_stemmed_as_by_nltk(data_folder: Path) -> None:
    lines = (data_folder / "dialogsum" / "dialogsum.test.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines[:100]):
        assert stems(row["dialogue"]) == by_nltk(row["dialogue"])


def test_cannot_is_one_word() -> None:
    assert pooled("can not", references=["cannot"])[0].f1 == 0
    assert pooled("CANNOT", references=["cannot"])[0].f1 == 1


def test_counts_of_several_references_are_added_up() -> None:
    one, two, _ = pooled("it is very cold", references=["it is cold", "rain"])
    assert one == (3 / (4 + 4), 3 / (3 + 1))
    assert two == (1 / (3 + 3), 1 / 2)  # a reference of one word has no runs of two


def test_the_l_score_is_raised_to_the_power_that_published_figures_have() -> None:
    found = pooled("outside it is cold", references=["it is cold outside"])[2]
    assert found == pytest.approx((0.75 ** (1 / 1.2), 0.75 ** (1 / 1.2)))


def test_the_l_score_counts_line_by_line() -> None:
    by_line = pooled("cold outside\nit is", references=["it is\ncold outside"])[2]
    at_once = pooled("cold outside it is", references=["it is cold outside"])[2]
    assert by_line.f1 == 1 > at_once.f1


def test_only_the_first_hundred_words_count() -> None:
    hundred = " ".join(f"w{number}" for number in range(60)) + "\n" + " ".join(f"v{number}" for number in range(40))
    assert [one.f1 for one in pooled(hundred + " more\nand more", references=[hundred])] == [1, 1, 1]
    # Words as white space parts them: this is one.
    assert pooled("a-b " * 99 + "c-d e", references=["d"])[0].recall == 1
    assert pooled("a-b " * 99 + "c-d e", references=["e"])[0].recall == 0


def test_nothing_written_scores_nothing_and_no_answer_cannot_be_judged() -> None:
    assert PyRouge().observe(case("", "it is cold", "")) == (0, 0, 0, 1)
    assert PyRouge().observe(case("it is", "")) == (0, 0, 0, 1)
    assert PyRouge().observe(case(None, "it is cold")) is None


def test_the_signature_tells_it_from_rouge() -> None:
    assert "refs:pooled" in PyRouge().signature and "like:py-rouge" in PyRouge().signature


def test_references_in_other_scripts_are_told() -> None:
    told = PyRouge().note(["東京は雨です"])
    assert told is not None and 'words = "unicode"' in told
