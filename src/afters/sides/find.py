"""A path becomes a side: by what lies there, not by what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from afters.errors import RunFolderError, SettingsError
from afters.sides.harness import HarnessSamples, is_samples, open_samples, sample_files, task_of
from afters.sides.predictions import PredictionFile
from afters.sides.runs import RunSide
from afters.sides.side import Side
from afters.sides.table import read_table


def open_sides(before: Sequence[Path | str], after: Sequence[Path | str]) -> tuple[list[Side], list[Side]]:
    """Open both sides of a comparison; a run folder alone is compared with itself, before with after.

    Raises:
        InputError: nothing of the kind lies there, or one path stands on a side twice.
    """
    first, last = list(map(str, before)), list(map(str, after))
    if not first or not last:
        return _within([*first, *last])
    for side in (first, last):
        twice = next((path for path in side if side.count(path) > 1), None)
        if twice:
            raise SettingsError(
                f"'{twice}' stands twice on one side",
                expected="a run of its own for every seed",
                hint="The same numbers twice say nothing of another seed.",
            )
    names = _names([*first, *last])
    sides = [open_side(path, name=name) for path, name in zip([*first, *last], names, strict=True)]
    return sides[: len(first)], sides[len(first) :]


def open_side(path: str, *, name: str) -> Side:
    """Open one run folder, prediction file, samples file, or folder of samples."""
    place, label = Path(path), ""
    if not place.exists() and ":" in path:
        folder, _, label = path.rpartition(":")
        place = Path(folder)
    if place.is_dir():
        if files := [] if label else sample_files(place):
            return open_samples(files, name=name)
        return RunSide(place, label=label, name=name)
    table = read_table(Path(path))
    return HarnessSamples(name, {task_of(place): table}) if is_samples(table) else PredictionFile(name, table)


def _within(paths: Sequence[str]) -> tuple[list[Side], list[Side]]:
    if len(paths) != 1 or not Path(paths[0]).is_dir() or sample_files(Path(paths[0])):
        raise RunFolderError(
            "nothing to compare with",
            where=", ".join(paths) or None,
            expected="two results; or one run folder, whose own before and after are compared",
            received=f"{len(paths)} path" + ("" if len(paths) == 1 else "s, and no 'to' between them"),
            hint="As in: afters compare before.jsonl after.jsonl; afters compare seed1 seed2 to seed3 seed4.",
        )
    place = Path(paths[0])
    return [RunSide(place, label="before", name="before")], [RunSide(place, label="after", name="after")]


def _names(paths: Sequence[str]) -> list[str]:
    """Return the shortest end of each path that tells it from the others."""
    parts = [Path(path).parts or (path,) for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(set(paths)):
            break
    if len(set(names)) < len(names):  # one and the same result on both sides
        half = [names[:place].count(name) for place, name in enumerate(names)]
        names = [f"{name} again" if again else name for name, again in zip(names, half, strict=True)]
    return names
