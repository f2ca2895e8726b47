"""The templates that ship: `library/NAME.toml`."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files

from afters.data.template import Template, from_settings
from afters.errors import TemplateError, unknown


@lru_cache(maxsize=1)
def library() -> dict[str, Template]:
    """Return every template that ships, by its name."""
    found = {}
    for entry in sorted(files("afters.data").joinpath("library").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            name = entry.name.removesuffix(".toml")
            content = tomllib.loads(entry.read_text(encoding="utf-8"))
            found[name] = from_settings({"name": name, **content}, where=entry.name)
    return found


def from_library(name: str) -> Template:
    """Return the template of that name; "support-chats" and "support_chats" are the same.

    Raises:
        TemplateError: there is none of that name.
    """
    folded = name.casefold().replace("-", "_")
    if folded not in library():
        hint = "Name a template of the library, or the path of a TOML file."
        raise TemplateError(unknown("template", name, library()), hint=hint)
    return library()[folded]
