"""What is told of a task that was not taught: kept, lost, both, or not enough to say. No scipy here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from afters.compare.sentence import amount, gain_of, values, write
from afters.records import Comparison

KeptWord = Literal["kept", "kept_with_a_loss", "lost", "cannot_tell"]
"""A loss beyond the margin is ruled out; so it is, and yet a loss is proven; a loss is proven, and one beyond the
margin is not ruled out; neither. See design/forgetting.md."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share, or a ratio that may exceed 1, with its interval."""

    value: float
    low: float
    high: float
    interval: str
    """The name of the interval's method."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The forward KL divergence of the tuned model from its base, on prompts of the new task."""

    cases: int
    value: float
    """In nats for each token of what the base says; of choices, for each row."""
    low: float
    high: float
    interval: str
    """The name of the interval's method."""
    drawn: bool
    """Whether it was estimated by answers that the base drew; else it is exact over the choices of each row."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One task before and after it was not taught, on the same Cases."""

    comparison: Comparison
    """The paired difference. Its own verdict asks whether the task changed, this record whether it was kept."""
    margin: float
    """The loss that does not matter, in the score's own unit, declared beforehand."""
    largest_loss: float
    """The largest loss that the Cases leave possible: the losing end of the comparison's interval, or a larger one
    where few graded Cases changed (see `forgetting.UNSEEN`). Below 0 when even no change is ruled out."""
    detectable: float
    """The smallest loss that so many Cases show with 80 % power; about as small a margin could they show kept."""
    too_little: bool
    """Whether the score before lay within the margin of chance, so that no larger loss was possible."""
    binary: bool
    """Whether every Case is right or wrong, so that `comparison.worse` counts the Cases that went wrong."""
    chance: float | None
    """What guessing gives, where that is known."""
    retention: Share | None
    """(after - chance) / (before - chance); None without a chance, where less is better, for scores that are no mean
    over Cases, and where before is not proven better than chance."""
    agreement: Share | None
    """The share of Cases whose answers are those of before, right or wrong; None where nothing was answered. It says
    little where answers are sampled."""
    word: KeptWord = "cannot_tell"
    sentence: str = ""

    @property
    def beyond_margin(self) -> bool:
        """Whether the loss is proven, and all of its interval lies beyond the margin."""
        return self.word == "lost" and gain_of(self.comparison)[2] < -self.margin

    @property
    def task(self) -> str:
        """The task's name."""
        return self.comparison.task

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Kept:
        """Return what `plain` has made plain, and JSON has carried."""
        comparison = content["comparison"]
        made = Comparison(**comparison | {"not_checked": tuple(comparison["not_checked"])})
        shares = {name: content[name] and Share(**content[name]) for name in ("retention", "agreement")}
        return cls(**dict(content) | shares | {"comparison": made})


def worded(kept: Kept) -> Kept:
    """Return the record with its word and its sentence, for the comparison as it stands."""
    within = kept.largest_loss < kept.margin and not kept.too_little
    loss = kept.comparison.verdict == "worse"
    word: KeptWord = ("kept_with_a_loss" if loss else "kept") if within else ("lost" if loss else "cannot_tell")
    made = replace(kept, word=word)
    return replace(made, sentence=_sentence(made))


def _sentence(kept: Kept) -> str:
    """Return "exact_match of this checkpoint went from 0.830 to 0.520: lost by 0.310 [0.250, 0.370] on …"."""
    comparison = kept.comparison
    gain, low, high = gain_of(comparison)
    change = amount(comparison.difference, comparison.low, comparison.high, comparison, sign="+")
    loss = amount(-gain, -high, -low, comparison)
    bound = f"{kept.margin:g}"
    if kept.word == "kept":
        told = f"kept within {bound}, difference {change}. {_ruled_out(kept)}"
    elif kept.word == "kept_with_a_loss":
        told = f"kept within {bound}, with a proven loss of {loss}. {_ruled_out(kept)}"
    elif kept.word == "lost":
        than = "That is more than" if kept.beyond_margin else "It may lie within"
        told = f"lost by {loss}. {than} the {bound} that was declared not to matter."
    else:
        told = f"cannot tell, difference {change}. {_not_enough(kept)}"
    return f"{comparison.metric} {values(comparison)}: {told}{_flips(kept)}"


def _ruled_out(kept: Kept) -> str:
    if kept.largest_loss <= 0:
        return "Any loss is ruled out."
    return f"A loss above {write(kept.largest_loss, kept.comparison)} is ruled out."


def _not_enough(kept: Kept) -> str:
    """Return why nothing is said, and the smallest loss that could have been seen."""
    comparison = kept.comparison
    seen = f"So many Cases show a loss of {write(kept.detectable, comparison)} with 80 % power"
    if kept.too_little:
        return f"There was hardly more than {kept.margin:g} to lose. {seen}."
    needed = comparison.cases_needed
    if needed is not None and needed > comparison.cases:
        wanted = max(abs(comparison.difference), kept.margin)
        seen += f"; {write(wanted, comparison)} would take about {needed:,}"
    return f"A loss of {write(kept.largest_loss, comparison)} is not ruled out. {seen}."


def _flips(kept: Kept) -> str:
    if not kept.binary:
        return ""
    return f" Right to wrong: {kept.comparison.worse:,}; wrong to right: {kept.comparison.better:,}."
