"""The oracle is Google's rouge_score 0.1.2; the worked examples are counted by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytest
from rouge_score.rouge_scorer import RougeScorer

from afters.metrics.metric import reduce
from afters.metrics.rouge import KINDS, NAMES, Rouge, overlaps
from afters.records import Case, Example, Prediction
from afters.seeds import stream

TRICKY = [
    ("", ""),
    ("", "a word"),
    ("a word", ""),
    ("?!", "..."),
    ("?!", "a word"),
    ("\n\n", "a\n\nb"),
    ("the the the cat", "the cat the"),
    ("cold cold cold cold", "It is cold outside"),
    ("outside cold it is", "It is cold outside"),
    ("Žluťoučký kůň", "Cristóbal sings"),
    ("日本語 text", "text 日本語"),
    ("order 10432, £1,200.50", "order #10432 for 1200.50"),
    ("running quickly\nhe runs", "he was running\nand ran quick"),
    ("a b c d\ne f g", "a c b\nf e\ng a"),
    ("a b a b\nb a\n", "b a b\na b b"),
    ("one line a b", "a b\nb a\none"),
    ("ﬁne İstanbul ſ K", "fine istanbul s k"),
    ("a\tb\u2028c\r\nd", "a b c d"),
    ("under_score don't", "under score dont"),
]


def case(answer: str | None, *references: str) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", references)
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def differences(pairs: Sequence[tuple[str, str]], *, stem: bool) -> list[float]:
    theirs = RougeScorer(list(KINDS), use_stemmer=stem)
    found = []
    for reference, answer in pairs:
        right = theirs.score(reference, answer)
        ours = overlaps(answer, reference=reference, stem=stem, kinds=tuple(KINDS))
        for name in KINDS:
            found += [
                abs(right[name].precision - ours[name].precision),
                abs(right[name].recall - ours[name].recall),
                abs(right[name].fmeasure - ours[name].f1),
            ]
    return found


@pytest.mark.parametrize("stem", [True, False])
def test_tricky_pairs_score_as_in_rouge_score(stem: bool) -> None:
    pairs = TRICKY + [(answer, reference) for reference, answer in TRICKY]
    assert max(differences(pairs, stem=stem)) < 1e-12


@pytest.mark.parametrize("stem", [True, False])
def test_lines_of_few_different_words_score_as_in_rouge_score(stem: bool) -> None:
    # Few words and many lines: the longest common subsequence is seldom unique, and its choice decides Lsum.
    draw = stream(2, "lines")
    pieces = ["a ", "b ", "cats ", "running\n", "\n", "c ", "runs ", " .\n"]
    texts = ["".join(draw.choice(pieces, size=int(draw.integers(0, 25)))) for _ in range(1200)]
    assert max(differences(list(zip(texts[::2], texts[1::2], strict=True)), stem=stem)) < 1e-12


def dialogsum(data_folder: Path, side: str) -> list[dict[str, str]]:
    lines = (data_folder / "dialogsum" / f"dialogsum.{side}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.data
@pytest.mark.parametrize("stem", [True, False])
def test_dialogsum_scores_as_in_rouge_score(data_folder: Path, stem: bool) -> None:
    rows = dialogsum(data_folder, "test")[:150]
    leads = ["\n".join(row["dialogue"].split("\n")[:3]) for row in rows]
    pairs = [(row[f"summary{k}"], lead) for row, lead in zip(rows, leads, strict=True) for k in (1, 2, 3)]
    assert max(differences(pairs, stem=stem)) < 1e-12


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("stem", [True, False])
def test_ten_thousand_pairs_score_as_in_rouge_score(data_folder: Path, stem: bool) -> None:
    rows = dialogsum(data_folder, "train")
    told, talks = [row["summary"] for row in rows], [row["dialogue"] for row in rows]
    long = [talk for talk in talks if 100 <= len(talk.split()) <= 400]
    pairs = [
        *zip(told[:7000], told[1:7001], strict=True),  # another dialogue's summary
        *zip(told[:2500], talks[:2500], strict=True),
        *zip(long[:500], long[1:501], strict=True),
    ]
    assert len(pairs) == 10_000
    assert max(differences(pairs, stem=stem)) < 1e-12


def test_one_word_too_many_costs_precision_alone() -> None:
    found = overlaps("It is very cold outside", reference="It is cold outside")
    assert found["rouge1"] == (0.8, 1.0)
    assert found["rouge2"] == pytest.approx((2 / 4, 2 / 3))
    assert found["rougeL"] == (0.8, 1.0)  # a subsequence of 4 words; the longest run has only 2
    assert [round(found[name].f1, 2) for name in ("rouge1", "rouge2", "rougeL")] == [0.89, 0.57, 0.89]


def test_a_negation_scores_as_an_intensifier_does() -> None:
    reference = "It is cold outside"
    assert overlaps("It is not cold outside", reference=reference) == overlaps(
        "It is very cold outside", reference=reference
    )


def test_repeating_a_right_word_does_not_pay() -> None:
    assert overlaps("cold cold cold cold", reference="It is cold outside")["rouge1"].precision == 1 / 4


def test_order_counts_for_runs_and_subsequences_only() -> None:
    found = overlaps("outside cold it is", reference="It is cold outside")
    assert found["rouge1"].f1 == 1
    assert found["rouge2"].f1 < 1
    assert found["rougeL"].f1 < 1


def test_the_score_is_the_mean_of_references_or_the_best() -> None:
    references = ("It is cold", "It is very cold outside", "Rain")
    each = [overlaps("It is very cold", reference=reference) for reference in references]
    for pooling, pool in (("mean", fmean), ("best", max)):
        row = Rouge(references=pooling).observe(case("It is very cold", *references))  # type: ignore[arg-type]
        assert row == pytest.approx([*(pool([one[name].f1 for one in each]) for name in NAMES), 1.0])


def test_the_best_is_that_of_rouge_scores_score_multi() -> None:
    references = ["the cats sat on a mat", "one cat sits", "a mat\nfor cats"]
    theirs = RougeScorer(list(NAMES), use_stemmer=True).score_multi(references, "cats sat\non mats")
    row = Rouge(references="best").observe(case("cats sat\non mats", *references))
    assert row == pytest.approx([*(theirs[name].fmeasure for name in NAMES), 1.0], abs=1e-12)


def test_scores_are_means_over_judged_cases() -> None:
    rouge = Rouge()
    rows = [rouge.observe(case(answer, "It is cold")) for answer in ("It is cold", "", None)]
    assert rows[2] is None
    assert reduce(rouge, rows) == dict.fromkeys(NAMES, 0.5)


def test_stemming_stands_in_the_signature() -> None:
    assert "stem:yes" in Rouge().signature
    assert "stem:no" in Rouge(stem=False).signature
    assert reduce(Rouge(stem=False), [Rouge(stem=False).observe(case("cats", "cat"))])["rouge1"] == 0


def test_one_kind_alone_bears_its_name() -> None:
    rouge = Rouge(only="rouge3")
    row = rouge.observe(case("It is very cold outside", "It is very warm outside"))
    assert (rouge.name, rouge.names, row) == ("rouge3", ("rouge3",), (1 / 3, 1.0))


def test_other_scripts_score_nothing_unless_words_are_those_of_unicode() -> None:
    japanese = case("東京は雨です", "東京は晴れです")
    assert Rouge().observe(japanese) == (0, 0, 0, 0, 1)
    found = reduce(Rouge(words="unicode"), [Rouge(words="unicode").observe(japanese)])
    assert found["rouge1"] == pytest.approx(2 * 5 / (6 + 7))
    assert "words:unicode" in Rouge(words="unicode").signature and "rouge_score" not in Rouge(words="unicode").signature


def test_of_ascii_texts_words_of_unicode_score_the_same() -> None:
    for reference, answer in TRICKY:
        if (reference + answer).isascii():
            found = overlaps(answer, reference=reference, words="unicode")
            assert found == overlaps(answer, reference=reference)


def test_only_ascii_words_are_stemmed() -> None:
    assert overlaps("cats", reference="cat", words="unicode")["rouge1"].f1 == 1
    assert overlaps("žlutings", reference="žluting", words="unicode")["rouge1"].f1 == 0


def test_references_that_are_not_read_are_told_with_the_option_that_reads_them() -> None:
    references = ["東京は雨です", "Привет", "It is cold", "Zoë sings"]
    told = Rouge().note(references)
    assert told is not None and "2 of 4 references" in told and 'words = "unicode"' in told
    assert Rouge(words="unicode").note(references) is None
    assert Rouge().note(references[2:]) is None
