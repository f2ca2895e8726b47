"""Template text: what it may do, which columns it names, and what it says of a row.

Jinja2 without Python: no attribute that begins with an underscore, no other file, no chance, no text beyond
`LONGEST`. A template gets its own copy of the row's lists and objects, so that the row never changes. What is not
covered: the time and memory of a template that sets out to waste them; only the obvious ways are closed.

Two dialects. `strict` is ours: what is not there is an error, null writes nothing, outer white space goes. `lenient`
is the plain Jinja2 of promptsource's templates: what is not there writes nothing, null writes `None`, white space
stays, and there are `zip`, `choice`, `random`, `most_frequent` and `highlight`; chance comes from the row's seed.
"""

from __future__ import annotations

import copy
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from afters import seeds
from afters.errors import TemplateError

Dialect = Literal["strict", "lenient"]

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


class _Chance(threading.local):
    """What the filters `choice` and `random` draw from while one row is rendered."""

    seed = 0
    drawn = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        """Return one of the choices, another stream for each call."""
        self.drawn += 1
        return choices[int(seeds.stream(self.seed, "template", self.drawn).integers(len(choices)))]


_chance = _Chance()


def _most_frequent(items: Iterable[Any]) -> list[Any] | None:
    counts = Counter(items)
    most = max(counts.values(), default=0)
    return [item for item, count in counts.items() if count == most] or None


def _highlight(text: str) -> str:
    return f"<span style='color: #F08080'>{text}</span>"


@lru_cache(maxsize=2)
def _environment(dialect: Dialect) -> _Environment:
    lenient = dialect == "lenient"
    environment = _Environment(
        undefined=jinja2.Undefined if lenient else jinja2.StrictUndefined,
        finalize=None if lenient else lambda value: "" if value is None else value,
    )
    for name in REFUSED_FILTERS:
        del environment.filters[name]
    for name in REFUSED_GLOBALS:
        del environment.globals[name]
    if lenient:
        environment.globals["zip"] = zip
        environment.filters |= {
            "choice": _chance.pick,
            "random": _chance.pick,
            "most_frequent": _most_frequent,
            "highlight": _highlight,
        }
    return environment


@lru_cache(maxsize=512)
def _compiled(text: str, dialect: Dialect) -> jinja2.Template:
    return _environment(dialect).from_string(text)


@lru_cache(maxsize=512)
def columns(text: str, *, dialect: Dialect = "strict") -> frozenset[str]:
    """Return the names that the template expects of a row.

    Raises:
        TemplateError: the template is broken or reaches for more than its row; `where` is only the line.
    """
    tree = _parsed(text, dialect)
    for problem in _refusals(tree, dialect):
        raise problem
    return frozenset(meta.find_undeclared_variables(tree)) - set(_environment(dialect).globals)


def line_of(text: str, name: str, *, dialect: Dialect = "strict") -> int:
    """Return the line of the template in which a name stands first."""
    return min((node.lineno for node in _parsed(text, dialect).find_all(nodes.Name) if node.name == name), default=1)


def render(text: str, row: Mapping[str, Any], *, dialect: Dialect = "strict", seed: int = 0) -> str:
    """Return what the template says of the row; a strict one without white space around it.

    `seed` belongs to the row: the same template and row always draw the same.

    Raises:
        TemplateError: the template fails on this row, or writes too much.
    """
    pieces: list[str] = []
    length = 0
    _chance.seed, _chance.drawn = seed, 0
    try:
        for piece in _compiled(text, dialect).generate(_copied(row)):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST:
                raise SecurityError(f"more than {LONGEST:,} characters")
    except Exception as error:  # a template may fail in any way that Python can
        raise TemplateError("the template fails on this row", received=_told(error)) from None
    written = "".join(pieces)
    return written if dialect == "lenient" else written.strip()


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
    return _environment("strict").compile_expression(inner, undefined_to_none=False)


def _parsed(text: str, dialect: Dialect) -> nodes.Template:
    try:
        tree = _environment(dialect).parse(text)
        _compiled(text, dialect)  # an unknown filter is only seen here
    except jinja2.TemplateSyntaxError as error:
        expected = "Jinja2, as in {{ column }}"
        raise TemplateError(
            "the template is broken", where=f"line {error.lineno}", expected=expected, received=error.message
        ) from None
    return tree


def _refusals(tree: nodes.Template, dialect: Dialect) -> Iterator[TemplateError]:
    for node in tree.find_all(nodes.Node):
        reached = _reached(node, dialect)
        if reached is not None:
            yield TemplateError(
                "the template reaches for more than its row",
                where=f"line {node.lineno}",
                expected="the row's columns, and filters of Jinja2",
                received=reached,
            )


def _reached(node: nodes.Node, dialect: Dialect) -> str | None:
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
    if isinstance(node, nodes.Filter) and node.name not in _environment(dialect).filters:
        return f"the filter '{node.name}'"
    return None


def _copied(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(item) if isinstance(item, list | dict) else item for name, item in row.items()}


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
