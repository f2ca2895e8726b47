"""The words of a report, explained for a reader who has not met them, and how its numbers were computed."""

from __future__ import annotations

from afters.report.blocks import Section, Terms
from afters.report.told import Told


def glossary(told: Told) -> Section:
    """Return what the words mean, with the methods that this report used."""
    first = told.headline
    confidence = f"{first.confidence * 100:g} %"
    items = (
        (
            "Before, after",
            "The same model asked the same questions in the same words, with the weights it came with and with the "
            "tuned ones. Only the weights differ.",
        ),
        (
            "Shots",
            "Solved examples put in the prompt before the question; the usual alternative to tuning. Zero-shot: none.",
        ),
        (
            "Nearest neighbour",
            "No language model at all: the answer of the taught row whose text is most alike. What a tuned model "
            "gains over this, it did not gain by looking up.",
        ),
        (
            "Interval of a score",
            "The judged rows are a sample. 95 % of such intervals, over many samples, hold the score that endlessly "
            "many rows of the same kind would give. Rows that belong together are resampled together.",
        ),
        (
            "Interval of a difference",
            f"The same for after minus before on the same rows, at {confidence}, by: {first.interval}. If it leaves "
            "out zero, chance in the choice of rows alone hardly explains the change.",
        ),
        (
            "p, corrected p",
            f"How often a difference at least this large would come up if nothing had changed, by: {first.test}. "
            "Where several comparisons are made together, chance gets several tries; the corrected p pays for them: by "
            "Holm among those that were declared to decide, by Benjamini and Hochberg (BH) among the others.",
        ),
        (
            "Better, worse, same",
            "Rows whose own score rose, fell and stayed. A score may rise while many rows fall. None are counted of a "
            "score that one row alone does not have.",
        ),
        (
            "Smallest effect that matters",
            "Declared in the study before anything was measured; a smaller change is not worth its trouble.",
        ),
        ("Improved", "The interval of the difference lies on the better side, beyond the smallest effect if declared."),
        ("Improved, effect unproven", "Better, but not shown to reach the smallest effect that was declared."),
        ("Worse", "The interval of the difference lies on the worse side."),
        (
            "Equivalent",
            "Any difference there may be is smaller than the smallest effect that was declared, also if one more row "
            "had lost or gained all.",
        ),
        ("Cannot tell", "These rows do not decide it; the number of rows that would is given where it is known."),
    )
    return Section("glossary", "How to read this, and how it was computed", (Terms(items),))
