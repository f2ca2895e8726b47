"""What is told of a model that was taught or made otherwise, so that less is lost. No scipy here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol

from afters.compare.rows import Difference

CureKind = Literal["plain", "checkpoint", "replay", "rehearsal", "kl", "l2_sp", "interpolation", "strength"]
"""The run's own model; what it was on the way there; taught with rows of what must not be lost; with the base's own
answers to them; held to what the base expects there; pulled back to the base's weights; weights between the base's and
the tuned ones; the tuned adapter, weakened."""

ENOUGH: Final = 0.9
"""The share of the plain run's gain that a cure has to leave."""

NoControl = Literal["at first", "not kept"]
"""Why no model of the plain run's stands on its way: its own is that of the first validation; or it was taught without
[mend], or in shards."""

_WHY: Final[Mapping[NoControl, tuple[str, str]]] = {
    "at first": ("the run's own model is that of its first validation", "more train.validations"),
    "not kept": (
        "the run's models on its way are kept while it is taught with [mend] set, and not under --shard",
        "without --shard",
    ),
}
"""The reason, and what a new run has to have besides [mend]."""


@dataclass(frozen=True, slots=True)
class Cure:
    """One model on the same rows: what it learned, and what it kept."""

    name: str
    kind: CureKind
    strength: float
    """Of replay, rehearsal and KL: the share of the taught tokens. Of L2-SP: as the study gives it. Else: the share of
    the way from the base, in weights or in steps; the plain run's own may be that of an earlier step than the last."""
    learned: Difference
    """Its gain over the base in the first task's primary score; more is better."""
    share: Difference
    """That gain beside the plain run's; nan where the plain run's is not proven."""
    change: Difference
    """The mean change of what must not be lost, on scores from 0 to 1; more is better."""
    above: Difference
    """What it learned beyond what the plain run had learned where it had kept as much, on the line through the base,
    its checkpoints and its end; nan where that line is not known."""
    kept: tuple[str, ...]
    """Tasks that were kept within their margin."""
    lost: tuple[str, ...]
    chosen: bool
    """Whether its strength was chosen, on validation rows."""
    tasks: int
    """How many must not be lost."""

    @property
    def is_control(self) -> bool:
        """Whether it is the plain run's own, in the end or on its way."""
        return self.kind in ("plain", "checkpoint")

    @property
    def keeps_enough(self) -> bool:
        """Whether all is kept and the gain stays: a cure, unless fewer steps would have done as well."""
        return not self.is_control and len(self.kept) == self.tasks and self.share.value >= ENOUGH

    @property
    def is_one(self) -> bool:
        """Whether it is called a cure: all is kept, the gain stays, and fewer steps would not have done as well."""
        return self.keeps_enough and self.above.low > 0

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self) | {"cure": self.is_one}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Cure:
        """Return what `plain` has made plain, and JSON has carried."""
        known = {name: value for name, value in content.items() if name != "cure"}
        numbers = {name: _difference(content[name]) for name in ("learned", "share", "change", "above")}
        return cls(**known | numbers | {"kept": tuple(content["kept"]), "lost": tuple(content["lost"])})


class Placed(Protocol):
    """A model of which is known what it is, and how far it goes."""

    @property
    def kind(self) -> CureKind:
        """What it is."""
        ...

    @property
    def strength(self) -> float:
        """How far it goes; see `Cure`."""
        ...


def has_control(models: Sequence[Placed]) -> bool:
    """Return whether a model of the plain run's stands between the base and its end, which is the first of `models`.

    Without one the line is straight for want of anything between, and fewer steps may do as well as what is above it.
    """
    return any(one.kind == "checkpoint" and one.strength < models[0].strength for one in models)


def uncontrolled(why: NoControl) -> str:
    """Return what cannot be told without a control, why there is none, and what to do."""
    reason, more = _WHY[why]
    return (
        f"Whether fewer steps of the plain run would do as well is not known, and nothing is called a cure: {reason}. "
        f"Run it in a new folder, with --mend from the beginning and {more}."
    )


def _difference(content: Mapping[str, float | None]) -> Difference:
    return Difference(**{name: math.nan if value is None else value for name, value in content.items()})
