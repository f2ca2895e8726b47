"""A task of Natural Instructions: one JSON file that holds definition, examples and rows at once.

The first hundred of its instances are the collection's official test; the rest teach. Both forms of the files are read:
the old one has a definition that is one text, instances without id, and neither licence nor languages.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from afters.data.columns import halved
from afters.data.template import Template
from afters.errors import DataError

NAME = "natural_instructions"
"""The library's template for such rows."""

SPLIT = "split"
COLUMNS = ("id", "definition", "input", "output", "positive_examples", SPLIT)
"""What a row of a task has; `output` is a list of right answers."""

OFFICIAL = 100
"""Instances that are the official test, from the first on."""

EXACT = frozenset(
    {
        "Answerability Classification",
        "Cause Effect Classification",
        "Coreference Resolution",
        "Dialogue Act Recognition",
        "Textual Entailment",
        "Word Analogy",
    }
)
"""The categories that Tk-Instruct's evaluation scores by exact match (Wang et al. 2022, arXiv:2204.07705)."""

OVERLAP = frozenset(
    {
        "Data to Text",
        "Grammar Error Correction",
        "Keyword Tagging",
        "Overlap Extraction",
        "Question Rewriting",
        "Title Generation",
    }
)
"""Those that it scores by ROUGE-L. Of the other categories, which only teach there, it says nothing."""

FEW = 10
"""Different answers in a whole task of another category; with no more than these it is taken for a classification."""


def is_task(value: object) -> bool:
    """Tell whether a file's content is such a task."""
    return isinstance(value, dict) and isinstance(value.get("Instances"), list) and "Definition" in value


def rows(task: Mapping[str, Any], file: str) -> Iterator[tuple[int, Mapping[str, Any] | DataError]]:
    """Yield each instance with its number as a row; `split` is empty where the task has no more than the test.

    Raises:
        DataError: what all rows share is no text.
    """
    shared = {"definition": "\n".join(_texts(task["Definition"])), "positive_examples": _examples(task)}
    if problem := halved(shared, where=f"{file}, Definition and Positive Examples"):
        raise problem
    instances = task["Instances"]
    for number, instance in enumerate(instances, 1):
        if problem := _fault(instance, where=f"{file}:{number}"):
            yield number, problem
            continue
        side = ("test" if number <= OFFICIAL else "train") if len(instances) > OFFICIAL else None
        row = {
            **shared,
            "id": instance.get("id"),
            "input": instance["input"],
            "output": _texts(instance.get("output")),
            SPLIT: side,
        }
        yield number, {column: row[column] for column in COLUMNS}


def _fault(instance: object, *, where: str) -> DataError | None:
    """Return what is wrong with an instance, or None."""
    if problem := halved(instance, where=where):
        return problem
    if isinstance(instance, dict) and isinstance(instance.get("input"), str):
        return None
    expected = '{"input": "…", "output": ["…"]}'
    return DataError("no instance", where=where, expected=expected, received=str(instance)[:80])


def fitted(template: Template, path: Path) -> Template:
    """Return the library's template with what the task in a file says of itself; unchanged where it is no task."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        task = json.loads(raw)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        return template  # whoever reads its rows tells what is wrong with it
    if not is_task(task):
        return template
    exact = _is_classification(task)
    licence = "; ".join(_stated(task, "Instance License")) or "nothing stated"
    source = "; ".join([*_stated(task, "Source"), *_stated(task, "URL")]) or "nothing stated"
    told = {
        "category": ", ".join(_stated(task, "Categories")),
        "languages": tuple(_stated(task, "Output_language")),
        "licence": licence,
        "source": source,
        "metrics": ("exact_match", "rouge") if exact else ("rouge", "exact_match"),
        "primary": "exact_match" if exact else "rougeL",
        "notes": (f"{path.name}: the rows' licence: {licence}; their source: {source}",),
    }
    return template.model_copy(update=told)


def _is_classification(task: Mapping[str, Any]) -> bool:
    outputs = [_texts(instance.get("output")) for instance in task["Instances"] if isinstance(instance, dict)]
    few = len({text for several in outputs for text in several}) <= FEW < len(outputs)
    category = next(iter(_texts(task.get("Categories"))), "")
    if category in EXACT | OVERLAP:
        return category in EXACT
    return few and all(len(several) == 1 for several in outputs)


def _stated(task: Mapping[str, Any], key: str) -> list[str]:
    """Return what a task says of itself, for people: with a question mark for half a character, which no file takes."""
    return [text.encode(errors="replace").decode() for text in _texts(task.get(key))]


def _texts(value: object) -> list[str]:
    """Return a text or a list of texts as a list."""
    several = value if isinstance(value, list) else [value]
    return [text for text in several if isinstance(text, str)]


def _examples(task: Mapping[str, Any]) -> list[dict[str, str]]:
    found = task.get("Positive Examples")
    keys = ("input", "output", "explanation")
    return [
        {key: "".join(_texts(example.get(key))[:1]) for key in keys}
        for example in (found if isinstance(found, list) else [])
        if isinstance(example, dict)
    ]
