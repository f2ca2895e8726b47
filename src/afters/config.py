"""A TOML file and `--set` become a Study. Every unknown key is told with the nearest known one, all together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from afters.errors import InputError, SettingsError, nearest, raise_together, unknown
from afters.study.settings import Study


def read_study(path: Path | str, *, changes: Iterable[str] = ()) -> Study:
    """Read a study from a TOML file, with `changes` as `--set` gives them: "train.learning_rate=3e-4".

    Raises:
        SettingsError: no such file, no TOML, an unknown key, or a value that is not allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        guess = nearest(path.name, [other.name for other in path.parent.glob("*.toml")])
        raise SettingsError(
            f"no study '{path}'" + (f"; did you mean '{path.with_name(guess)}'?" if guess else ""),
            expected="a TOML file, as in examples/",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"'{path}' cannot be read", expected="a TOML file in UTF-8", received=str(error)) from None
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError("no valid TOML", where=path.name, received=str(error)) from None
    return _changed(settings, changes, where=path.name)


def changed(study: Study, *, changes: Iterable[str]) -> Study:
    """Return a study with `changes` as `--set` gives them.

    Raises:
        SettingsError: an unknown key, or a value that is not allowed.
    """
    return _changed(study.plain(), changes, where=study.name)


def _changed(settings: dict[str, Any], changes: Iterable[str], *, where: str) -> Study:
    for change in changes:
        _apply(settings, change)
    return study_of(settings, where=where)


def study_of(settings: Mapping[str, Any], *, where: str = "study") -> Study:
    """Make a Study of nested plain values, as a TOML file has them.

    Raises:
        SettingsError: an unknown key, or a value that is not allowed; several are raised together.
    """
    try:
        return Study.model_validate(settings)
    except ValidationError as error:
        raise_together([_problem(details, where=where) for details in _own(error.errors())])
        raise AssertionError("pydantic found an error, and told none") from error


def _own(every: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out what only follows from another problem.

    A list is too short because its one table is wrong; a stage takes over what is wrong in [train].
    """
    places = [tuple(details["loc"]) for details in every]
    in_train = {place[1:] for place in places if place[:1] == ("train",)}
    return [
        details
        for details, place in zip(every, places, strict=True)
        if (details["type"] != "too_short" or not any(other[: len(place)] == place != other for other in places))
        and not (place[:1] == ("stage",) and place[3:] in in_train)
    ]


def _problem(details: Mapping[str, Any], *, where: str) -> InputError:
    path: Sequence[str | int] = details["loc"]
    spelled = ".".join(str(part) for part in path)
    if details["type"] == "extra_forbidden":
        model = _model_at(Study, path[:-1])
        known = [field.alias or name for name, field in model.model_fields.items()] if model else []
        table = ".".join(str(part) for part in path[:-1])
        return SettingsError(unknown("setting", str(path[-1]), known), where=f"{where}: [{table}]" if table else where)
    if details["type"] == "missing":
        return SettingsError(
            f"the setting '{spelled}' is missing", where=where, hint="See examples/ for a whole study."
        )
    return SettingsError(
        f"the setting '{spelled}' cannot be used" if spelled else "the settings cannot be used",
        where=where,
        expected=str(details["msg"]).removeprefix("Value error, ").removeprefix("Input should be "),
        received=None if isinstance(details["input"], dict) else repr(details["input"]),
    )


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the settings class that a path leads to."""
    for part in path:
        if isinstance(part, int):
            continue
        found = [field for name, field in model.model_fields.items() if part in (name, field.alias)]
        inner = found[0].annotation if found else None
        candidates = [inner, *get_args(inner)]
        classes = [one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)]
        if not classes:
            return None
        model = classes[0]
    return model


def _apply(settings: dict[str, Any], change: str) -> None:
    """Apply one `--set KEY=VALUE`; the value is read as TOML, and as plain text where it is none."""
    key, found, text = change.partition("=")
    if not found or not key.strip():
        raise SettingsError(f"--set {change}", expected="KEY=VALUE, as train.learning_rate=3e-4")
    *above, last = key.strip().split(".")
    place: Any = settings
    for part in above:
        place = _step_into(place, part, change=change)
    if isinstance(place, list) and len(place) == 1:
        (place,) = place
    if not isinstance(place, dict):
        below = "several tables" if isinstance(place, list) else "a plain value"
        raise SettingsError(f"--set {change}", expected="a key of one table", received=f"'{last}' below {below}")
    place[last] = _value(text.strip())


def _step_into(place: Any, part: str, *, change: str) -> Any:
    """Return what `part` names: a table, made when it is new, or one of a list of tables, by number or by name."""
    if isinstance(place, list) and all(isinstance(table, dict) for table in place):
        by_name = [table for table in place if table.get("name") == part]
        if by_name:
            return by_name[0]
        if part.isdigit() and int(part) < len(place):
            return place[int(part)]
        if len(place) == 1:
            return _step_into(place[0], part, change=change)
        names = [str(table.get("name")) for table in place]
        raise SettingsError(unknown("task", part, names), where=f"--set {change}")
    if not isinstance(place, dict):
        raise SettingsError(f"--set {change}", expected="a key of a table", received=f"'{part}' below a plain value")
    return place.setdefault(part, {})


def _value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    # No setting is a date, but a name may look like one.
    return text if isinstance(value, date | time) else value
