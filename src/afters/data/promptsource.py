"""promptsource's `templates.yaml`: each of its templates becomes a wording with an answer and choices of its own.

Their prompts come out as the original makes them, but for two things: where a template draws by chance, it draws from
the study's seed; and nothing is cut. `truncate=True` cuts each field at 2,048 characters, as T0's prompts were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from afters.data import parted
from afters.data.template import Template, Wording, from_settings
from afters.errors import TemplateError, nearest

FILES = ("templates.yaml", "templates.yml")

CUT = " | string | truncate(2048) }}"
"""What the original wrote instead of every `}}` unless it was told not to."""

METRICS: Mapping[str, tuple[str, ...]] = {
    "Accuracy": ("accuracy",),
    "BLEU": ("bleu",),
    "COQA F1": ("f1",),
    "Pearson Correlation": ("pearson",),
    "ROUGE": ("rouge",),
    "Spearman Correlation": ("spearman",),
    "Squad": ("quasi_exact_match", "f1"),
    "Trivia QA": ("quasi_exact_match", "f1"),
}
"""Our scores for promptsource's; for AUC, edit distance, MRR, MultiRC's and "Other" there is none that fits."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no hints
    """YAML without Python objects: the two tags of the format are read as plain tables."""


def _table(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    table: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return table


_Loader.add_constructor("!Template", _table)
_Loader.add_constructor("!TemplateMetadata", _table)


def is_promptsource(path: Path) -> bool:
    """Tell whether this is a file of promptsource's, or a folder that holds one."""
    return path.name in FILES or any((path / name).is_file() for name in FILES)


def from_promptsource(path: Path, *, truncate: bool = False) -> Template:
    """Return the templates of one data set as the wordings of a Template, called by their names.

    A template that is not for the original task is inverted: it teaches, and never judges. One that no row could be
    asked with is refused and told in `notes`.

    Raises:
        TemplateError: there is no such file, it is broken, or no template of it can be used.
    """
    file = _file(path)
    wordings, refused, languages = list[Wording](), list[str](), dict[str, None]()
    for entry in _entries(file):
        fault = _fault(entry)
        if fault:
            refused.append(f"promptsource's template '{entry.get('name')}' is refused: {fault}")
        else:
            wordings.append(_wording(entry, truncate=truncate))
            languages |= dict.fromkeys(map(str, _metadata(entry).get("languages") or ()))
    if not wordings:
        received = "; ".join(refused) or "an empty list"
        raise TemplateError("no template can be used", where=file.name, expected="at least one", received=received)
    if all(wording.inverted for wording in wordings):
        wordings = [wording.model_copy(update={"inverted": False}) for wording in wordings]
        refused.append("none of promptsource's templates is for the original task: all of them may judge")
    content = {"name": file.parent.name, "wordings": wordings, "languages": tuple(languages), "notes": refused}
    return from_settings(content, where=file.name)


def _file(path: Path) -> Path:
    found = next((path / name for name in FILES if (path / name).is_file()), None) if path.is_dir() else path
    if found is None:
        below = sorted(file.parent.relative_to(path) for name in FILES for file in path.rglob(name))
        received = f"{len(below)} folders that hold one: {', '.join(map(str, below[:5]))}" if below else "none"
        hint = f"Name one of them, as '{path.name}/{below[0]}'." if below else None
        raise TemplateError(
            "no templates", where=path.name, expected=f"a file {FILES[0]}", received=received, hint=hint
        )
    if not found.is_file():
        guess = nearest(path.parent.name, [entry.name for entry in path.parent.parent.glob("*")])
        hint = f"Did you mean '{guess}'?" if guess else None
        raise TemplateError("no such file", where=str(path), expected=f"a file {FILES[0]}", hint=hint)
    return found


def _entries(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        received = " ".join(str(error).split())[:200]
        expected = "YAML with the tags !Template and !TemplateMetadata, and no others"
        where = file.name
        raise TemplateError("the templates cannot be read", where=where, expected=expected, received=received) from None
    templates = content.get("templates") if isinstance(content, dict) else None
    if not isinstance(templates, dict) or not all(isinstance(entry, dict) for entry in templates.values()):
        expected = "a table `templates` of promptsource's templates"
        raise TemplateError("no promptsource file", where=file.name, expected=expected, received="no such table")
    return iter(templates.values())


def _fault(entry: Mapping[str, Any]) -> str | None:
    text, choices = entry.get("jinja"), entry.get("answer_choices")
    if not isinstance(text, str) or not isinstance(entry.get("name"), str):
        return "it has no text or no name"
    return parted.fault_of(text, choices=choices if isinstance(choices, str) else None)


def _wording(entry: Mapping[str, Any], *, truncate: bool) -> Wording:
    metadata = _metadata(entry)
    text = entry["jinja"].replace("}}", CUT) if truncate else entry["jinja"]
    return Wording(
        id=entry["name"],
        prompt=text,
        choices=entry.get("answer_choices") or None,
        inverted=metadata.get("original_task") is False,
        dialect="promptsource",
        metrics=_metrics(metadata.get("metrics") or (), chosen=bool(entry.get("answer_choices"))),
        choices_in_prompt=metadata.get("choices_in_prompt"),
    )


def _metadata(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("metadata")
    return found if isinstance(found, dict) else {}


def _metrics(named: Any, *, chosen: bool) -> tuple[str, ...]:
    folded = {name.casefold(): ours for name, ours in METRICS.items()}
    found = dict.fromkeys(metric for name in named for metric in folded.get(str(name).casefold(), ()))
    return tuple("exact_match" if metric == "accuracy" and not chosen else metric for metric in found)
