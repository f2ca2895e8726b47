"""The templates that ship: `library/NAME.toml`, a file for each data set."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Final

from afters.data.template import Template, one_of, templates_in

CATEGORIES: Final = {
    "summarisation": "a long text made short",
    "sentiment": "what somebody thinks of a thing",
    "classification": "the kind of a text: its topic, intent, tone or grammar",
    "inference": "whether one text follows from another",
    "similarity": "whether two sentences say the same",
    "reading": "questions about a passage that is given",
    "commonsense": "questions that a passage does not answer",
    "extraction": "what stands in a text, listed",
    "translation": "the same in another language, of people or machines",
    "generation": "a text written from a few particulars",
    "instructions": "whatever each row asks for",
}
"""The kinds of task that the library has, each in a few words."""

ANY_LANGUAGE: Final = "any"
"""Stands among the languages of a template whose rows say themselves which they are in."""


@lru_cache(maxsize=1)
def library() -> dict[str, Template]:
    """Return every template that ships, by its name."""
    found: dict[str, Template] = {}
    for entry in sorted(files("afters.data").joinpath("library").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            content = tomllib.loads(entry.read_text(encoding="utf-8"))
            held = templates_in(content, name=entry.name.removesuffix(".toml"), where=entry.name)
            found |= {template.name: template for template in held}
    return found


def from_library(name: str) -> Template:
    """Return the template of that name; "support-chats" and "support_chats" are the same.

    Raises:
        TemplateError: there is none of that name, or the data set has several, as "amazon_reviews/rating".
    """
    hint = "Name a template of the library, or the path of a TOML file."
    folded = name.casefold().replace("-", "_")
    is_there = any(known == folded or known.startswith(f"{folded}/") for known in library())
    return one_of(library(), folded if is_there else name, hint=hint)
