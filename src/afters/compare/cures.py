"""What is told of a model that was taught or made otherwise, so that less is lost. No scipy here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from afters.compare.rows import Difference

CureKind = Literal["plain", "checkpoint", "replay", "rehearsal", "kl", "l2_sp", "interpolation", "strength"]
"""The run's own model; what it was on the way there; taught with rows of what must not be lost; with the base's own
answers to them; held to what the base expects there; pulled back to the base's weights; weights between the base's and
the tuned ones; the tuned adapter, weakened."""

ENOUGH: Final = 0.9
"""The share of the plain run's gain that a cure has to leave."""


@dataclass(frozen=True, slots=True)
class Cure:
    """One model on the same rows: what it learned, and what it kept."""

    name: str
    kind: CureKind
    strength: float
    """Of replay, rehearsal and KL: the share of the taught tokens. Of L2-SP: as the study gives it. Else: the share of
    the way from the base, in weights or in steps."""
    learned: Difference
    """Its gain over the base in the first task's primary score; more is better."""
    share: Difference
    """That gain beside the plain run's; nan where the plain run's is not proven."""
    change: Difference
    """The mean change of what must not be lost, on scores from 0 to 1; more is better."""
    above: Difference
    """What it learned beyond what the plain run had learned where it had kept as much, on the line through the base,
    its checkpoints and its end."""
    kept: tuple[str, ...]
    """Tasks that were kept within their margin."""
    lost: tuple[str, ...]
    chosen: bool
    """Whether its strength was chosen, on validation rows."""
    tasks: int
    """How many must not be lost."""

    @property
    def is_one(self) -> bool:
        """Whether it is called a cure: all is kept, the gain stays, and fewer steps would not have done as well."""
        is_control = self.kind in ("plain", "checkpoint")
        return not is_control and len(self.kept) == self.tasks and self.share.value >= ENOUGH and self.above.low > 0

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self) | {"cure": self.is_one}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Cure:
        """Return what `plain` has made plain, and JSON has carried."""
        known = {name: value for name, value in content.items() if name != "cure"}
        numbers = {name: _difference(content[name]) for name in ("learned", "share", "change", "above")}
        return cls(**known | numbers | {"kept": tuple(content["kept"]), "lost": tuple(content["lost"])})


def _difference(content: Mapping[str, float | None]) -> Difference:
    return Difference(**{name: math.nan if value is None else value for name, value in content.items()})
