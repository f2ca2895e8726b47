"""Template text: what it may do, which columns it names, and what it says of a row.

Jinja2 without Python: no attribute that begins with an underscore, no other file, no chance, no text beyond
`LONGEST`. A template gets its own copy of the row's lists and objects, so that the row never changes. What is not
covered: the time and memory of a template that sets out to waste them; only the obvious ways are closed.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from afters.errors import TemplateError

RENDERER = "1"
"""To be raised when the same template and row come to another text; part of a Dataset's fingerprint."""

LONGEST = 1_000_000
"""Characters that a template may write or build: some 200,000 words, beyond any model's context."""

REFUSED_FILTERS = ("attr", "random", "center", "pprint")
REFUSED_GLOBALS = ("lipsum", "cycler", "joiner")
REFUSED_METHODS = ("center", "ljust", "rjust", "zfill", "expandtabs")
"""Short calls that build long texts."""

REFUSED_NODES = {
    **{nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "from … import"},
    **{nodes.Extends: "extends", nodes.Block: "block"},
}


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**", "%"])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        refused = isinstance(obj, str) and attr in REFUSED_METHODS
        return not refused and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, unless the result could be long."""
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"'{operator}' is not allowed here")
        if operator == "*" and isinstance(right, str | list | tuple):
            left, right = right, left
        if operator == "*" and isinstance(left, str | list | tuple) and len(left) * int(right) > LONGEST:
            raise SecurityError(f"more than {LONGEST:,} characters")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    environment = _Environment(undefined=jinja2.StrictUndefined, finalize=lambda value: "" if value is None else value)
    for name in REFUSED_FILTERS:
        del environment.filters[name]
    for name in REFUSED_GLOBALS:
        del environment.globals[name]
    return environment


@lru_cache(maxsize=512)
def _compiled(text: str) -> jinja2.Template:
    return _environment().from_string(text)


@lru_cache(maxsize=512)
def columns(text: str) -> frozenset[str]:
    """Return the names that the template expects of a row.

    Raises:
        TemplateError: the template is broken or reaches for more than its row; `where` is only the line.
    """
    tree = _parsed(text)
    for problem in _refusals(tree):
        raise problem
    return frozenset(meta.find_undeclared_variables(tree)) - set(_environment().globals)


def line_of(text: str, name: str) -> int:
    """Return the line of the template in which a name stands first."""
    return min((node.lineno for node in _parsed(text).find_all(nodes.Name) if node.name == name), default=1)


def render(text: str, row: Mapping[str, Any]) -> str:
    """Return what the template says of the row, without white space around it; null writes nothing.

    Raises:
        TemplateError: the template fails on this row, or writes too much.
    """
    pieces: list[str] = []
    length = 0
    try:
        for piece in _compiled(text).generate(_copied(row)):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST:
                raise SecurityError(f"more than {LONGEST:,} characters")
    except Exception as error:  # a template may fail in any way that Python can
        raise TemplateError("the template fails on this row", received=_told(error)) from None
    return "".join(pieces).strip()


def value(text: str, row: Mapping[str, Any]) -> Any:
    """Return the value of a template that is one expression, as `{{ options }}`, without making it text.

    Raises:
        TemplateError: it is no single expression, or fails on this row.
    """
    try:
        return _expression(text)(_copied(row))
    except Exception as error:
        raise TemplateError("the expression fails on this row", received=_told(error)) from None


@lru_cache(maxsize=64)
def _expression(text: str) -> Any:
    inner = text.strip().removeprefix("{{").removesuffix("}}")
    return _environment().compile_expression(inner, undefined_to_none=False)


def _parsed(text: str) -> nodes.Template:
    try:
        tree = _environment().parse(text)
        _compiled(text)  # an unknown filter is only seen here
    except jinja2.TemplateSyntaxError as error:
        expected = "Jinja2, as in {{ column }}"
        raise TemplateError(
            "the template is broken", where=f"line {error.lineno}", expected=expected, received=error.message
        ) from None
    return tree


def _refusals(tree: nodes.Template) -> Iterator[TemplateError]:
    for node in tree.find_all(nodes.Node):
        reached = _reached(node)
        if reached is not None:
            yield TemplateError(
                "the template reaches for more than its row",
                where=f"line {node.lineno}",
                expected="the row's columns, and filters of Jinja2",
                received=reached,
            )


def _reached(node: nodes.Node) -> str | None:
    """Return what a node reaches for beyond the row, or None."""
    for kind, name in REFUSED_NODES.items():
        if isinstance(node, kind):
            return f"{{% {name} %}}"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return node.attr
    if isinstance(node, nodes.Name) and node.name.startswith("__"):
        return node.name
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and re.search("__[a-z]", node.value):
        return node.value  # as in map(attribute="__class__"); "____" is a gap to be filled in
    if isinstance(node, nodes.Filter) and node.name not in _environment().filters:
        return f"the filter '{node.name}'"
    return None


def _copied(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(item) if isinstance(item, list | dict) else item for name, item in row.items()}


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
