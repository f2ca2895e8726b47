"""docs/how-sure.md holds: its tables are simulated anew, and what they simulate is what the package computes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from simulations import PAGE, TABLES, bootstrap_ends, flip_p_values, study_of_sentences, table
from simulations import bleu as bleu_of

from afters.compare.intervals import corpus_interval, mean_interval, percentile_interval
from afters.compare.resample import bootstrap
from afters.compare.significance import sign_flip
from afters.seeds import stream

MISSED = frozenset(
    {
        "mean of 100 Cases, four in five unchanged",
        "mean of 30 Cases, nine in ten unchanged, the rest gains",
        "mean of 100 Cases, nine in ten unchanged, the rest gains",
        "3 to 3 seeds, 30 Cases, seeds add 1 and 1",
        "3 to 3 seeds, 100 Cases, seeds add 0 and 0",
        "3 to 3 seeds, 100 Cases, seeds add 1 and 1",
        "3 to 3 seeds, 100 Cases, seeds add 3 and 3",
        "3 to 3 seeds, 500 Cases, seeds add 1 and 1",
        "5 to 5 seeds, 30 Cases, seeds add 1 and 1",
        "5 to 5 seeds, 100 Cases, seeds add 1 and 1",
        "5 to 5 seeds, 500 Cases, seeds add 1 and 1",
        "1 to 3 seeds, 30 Cases, seeds add 0 and 1",
        "1 to 3 seeds, 100 Cases, seeds add 0 and 1",
        "1 to 5 seeds, 30 Cases, seeds add 0 and 1",
        "3 to 3 seeds, 100 Cases, seeds add 0.3 and 30",
    }
)
"""Lines below their bar, which the page tells as missed, and why."""


def told(name: str) -> dict[str, tuple[float, bool]]:
    """Return each line of a table of the page: its figure, and whether it is said to hold."""
    part = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->")[2].partition("<!-- end")[0]
    found = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| [^|]+ \| (\S+) \|$", part, flags=re.MULTILINE)
    return {what: (float(figure), word == "holds") for what, figure, word in found}


@pytest.mark.parametrize("clusters", [9, 40])
def test_the_flips_of_many_studies_at_once_are_those_of_each(clusters: int) -> None:
    differences = stream(12, "flips", clusters).normal(0.2, 1, size=(8, clusters))
    expected = [sign_flip(study, seed=0).p_value for study in differences]
    assert flip_p_values(differences).tolist() == expected


@pytest.mark.parametrize("clusters", [20, 70])
def test_the_intervals_of_many_studies_at_once_are_those_of_each(clusters: int) -> None:
    values = stream(12, "ends", clusters).normal(size=(5, clusters))
    expected = [mean_interval(study, confidence=0.95, seed=0)[:2] for study in values]
    assert np.column_stack(bootstrap_ends(values)) == pytest.approx(np.array(expected))


def test_fewer_resamples_of_a_corpus_score_give_nearly_the_same_interval() -> None:
    before, after = study_of_sentences(stream(12, "corpus"), 80, 1, 0.05)
    whole = corpus_interval([before, after], bleu_of, confidence=0.95, seed=0)
    fewer = percentile_interval(bootstrap([before, after], bleu_of, seed=0)[:2000], confidence=0.95)
    assert fewer[:2] == pytest.approx(whole[:2], abs=0.05 * (whole.high - whole.low))


def test_the_page_tells_what_is_missed_and_everything_else_holds() -> None:
    lines = {what: holds for name in TABLES for what, (_, holds) in told(name).items()}
    assert len(lines) > 60
    assert {what for what, holds in lines.items() if not holds} == MISSED


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_the_bars_hold_and_the_page_tells_the_same(name: str) -> None:
    rows = table(name)
    assert {row.what for row in rows if not row.holds} <= MISSED
    assert {row.what: row.figure for row in rows} == pytest.approx(
        {what: figure for what, (figure, _) in told(name).items()}, abs=0.3
    )
