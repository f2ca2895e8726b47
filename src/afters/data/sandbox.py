"""Template text: what it may do, which columns it names, and what it says of a row.

Jinja2 without Python: what `bounded.py` allows, and no chance but the row's own. A template gets its own copy of the
row's lists and objects, so that the row never changes.

Two dialects. `strict` is ours: what is not there is an error, null writes nothing, outer white space goes. `lenient`
is the plain Jinja2 of promptsource's templates: what is not there writes nothing, null writes `None`, white space
stays, and there are `zip`, `choice`, `random`, `most_frequent` and `highlight`; chance comes from the row's seed.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes

from afters import bounded, seeds
from afters.data.apart import Apart, serve
from afters.errors import TemplateError

Dialect = Literal["strict", "lenient"]

RENDERER = "1"
"""To be raised when the same template and row come to another text; part of a Dataset's fingerprint."""


class _Chance(threading.local):
    """What the filters `choice` and `random` draw from while one row is rendered."""

    seed = 0
    drawn = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        """Return one of the choices, from a stream of each call's own."""
        self.drawn += 1
        bounded.purse.pay(5_000)  # a new stream takes 30 microseconds
        return choices[int(seeds.stream(self.seed, "template", self.drawn).integers(len(choices)))]


_chance = _Chance()


@jinja2.pass_context  # so that a choice among constants is not made once and for all when the template is compiled
def _choice(context: Any, choices: Sequence[Any]) -> Any:
    return _chance.pick(choices)


def _most_frequent(items: Iterable[Any]) -> list[Any] | None:
    counts = Counter(items)
    most = max(counts.values(), default=0)
    return [item for item, count in counts.items() if count == most] or None


def _highlight(text: str) -> str:
    return f"<span style='color: #F08080'>{text}</span>"


@lru_cache(maxsize=2)
def _environment(dialect: Dialect) -> bounded.Environment:
    lenient = dialect == "lenient"
    environment = bounded.Environment(
        undefined=jinja2.Undefined if lenient else jinja2.StrictUndefined,
        finalize=bounded.written if lenient else bounded.written_or_nothing,
    )
    if lenient:
        environment.globals["zip"] = zip
        environment.filters |= {"choice": _choice, "random": _choice}
        environment.filters |= {"most_frequent": _most_frequent, "highlight": _highlight}
    environment.seal()
    return environment


@lru_cache(maxsize=512)
def _checked(text: str, dialect: Dialect) -> tuple[nodes.Template, jinja2.Template]:
    """Return the tree of a template, and what renders it."""
    try:
        tree, template = _environment(dialect).read(text)
    except jinja2.TemplateSyntaxError as error:
        where, expected = f"line {error.lineno}", "Jinja2, as in {{ column }}"
        raise TemplateError("the template is broken", where=where, expected=expected, received=error.message) from None
    for problem in _refusals(tree, dialect):
        raise problem
    return tree, template


@lru_cache(maxsize=512)
def columns(text: str, *, dialect: Dialect = "strict") -> frozenset[str]:
    """Return the names that the template expects of a row.

    Raises:
        TemplateError: the template is broken or reaches for more than its row; `where` is only the line.
    """
    tree, _ = _checked(text, dialect)
    return frozenset(meta.find_undeclared_variables(tree)) - set(_environment(dialect).globals)


def line_of(text: str, name: str, *, dialect: Dialect = "strict") -> int:
    """Return the line of the template in which a name stands first."""
    tree, _ = _checked(text, dialect)
    return min((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), default=1)


def render(text: str, row: Mapping[str, Any], *, dialect: Dialect = "strict", seed: int = 0) -> str:
    """Return what the template says of the row; a strict one without white space around it.

    `seed` belongs to the row: the same template and row always draw the same.

    Raises:
        TemplateError: the template is broken, fails on this row, writes or does too much.
    """
    if dialect == "lenient":
        return _strangers.ask({"text": text, "row": row, "seed": seed})
    return _rendered(text, row, dialect=dialect, seed=seed)


def serve_strangers() -> None:
    """Render lenient templates for another process, which asks through the standard input."""
    serve(lambda asked: _rendered(**asked, dialect="lenient"))


_strangers = Apart("from afters.data.sandbox import serve_strangers; serve_strangers()")


def _rendered(text: str, row: Mapping[str, Any], *, dialect: Dialect, seed: int) -> str:
    _, template = _checked(text, dialect)
    _chance.seed, _chance.drawn = seed, 0
    try:
        written = bounded.write(template, _own(row))
    except Exception as error:  # a template may fail in any way that Python can
        raise TemplateError("the template fails on this row", received=bounded.told(error)) from None
    return written if dialect == "lenient" else written.strip()


def value(text: str, row: Mapping[str, Any]) -> Any:
    """Return the value of a template that is one expression, as `{{ options }}`, without making it text.

    Raises:
        TemplateError: it is no single expression, or fails on this row.
    """
    _checked(text, "strict")
    bounded.purse.left = bounded.WORK
    try:
        return bounded.written(_expression(text)(_own(row)))
    except Exception as error:
        raise TemplateError("the expression fails on this row", received=bounded.told(error)) from None


@lru_cache(maxsize=64)
def _expression(text: str) -> Any:
    inner = text.strip().removeprefix("{{").removesuffix("}}")
    return _environment("strict").compile_expression(inner, undefined_to_none=False)


def _refusals(tree: nodes.Template, dialect: Dialect) -> Iterator[TemplateError]:
    reached = [*bounded.reaches(tree, _environment(dialect).filters)]
    if dialect == "strict":
        # As in map(attribute="__class__"), which fails on any row; "____" is a gap to be filled in.
        said = [(node.lineno, node.value) for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
        reached += [(line, text) for line, text in said if re.search("__[a-z]", text)]
    for line, name in reached:
        yield TemplateError(
            "the template reaches for more than its row",
            where=f"line {line}",
            expected="the row's columns, and filters of Jinja2",
            received=name,
        )


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a row, and of the lists and objects that it holds: a template may change them."""
    return {name: _copied(item) if isinstance(item, _HOLDERS) else item for name, item in row.items()}


_HOLDERS = (list, dict, tuple)


def _copied(holder: Any) -> Any:
    if isinstance(holder, dict):
        return _own(holder)
    items = [_copied(item) if isinstance(item, _HOLDERS) else item for item in holder]
    return tuple(items) if isinstance(holder, tuple) else items
