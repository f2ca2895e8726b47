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
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jinja2
from jinja2 import meta, nodes

from afters import bounded, seeds
from afters.data.apart import Apart, serve
from afters.errors import TemplateError

Dialect = Literal["strict", "lenient"]

SHORT = 100
"""Characters, or choices: of what is not longer, it is worth remembering what a template made."""

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


class _Read(NamedTuple):
    """A template that has been checked."""

    tree: nodes.Template
    template: jinja2.Template
    """What renders it."""
    pieces: tuple[tuple[str, str], ...] | None
    """Where it is only words and columns: each piece's words, and the column behind them; the last has none."""


@lru_cache(maxsize=512)
def _checked(text: str, dialect: Dialect) -> _Read:
    try:
        tree, template = _environment(dialect).read(text)
    except jinja2.TemplateSyntaxError as error:
        where, expected = f"line {error.lineno}", "Jinja2, as in {{ column }}"
        raise TemplateError("the template is broken", where=where, expected=expected, received=error.message) from None
    for problem in _refusals(tree, dialect):
        raise problem
    return _Read(tree, template, _pieces(tree, known=_environment(dialect).globals))


def _pieces(tree: nodes.Template, *, known: Container[str]) -> tuple[tuple[str, str], ...] | None:
    parts = [part for node in tree.body for part in (node.nodes if isinstance(node, nodes.Output) else [node])]
    pieces, words = list[tuple[str, str]](), ""
    for part in parts:
        if isinstance(part, nodes.TemplateData):
            words += part.data
        elif isinstance(part, nodes.Name) and part.name not in known:
            pieces.append((words, part.name))
            words = ""
        else:
            return None
    return (*pieces, (words, ""))


@lru_cache(maxsize=512)
def columns(text: str, *, dialect: Dialect = "strict") -> frozenset[str]:
    """Return the names that the template expects of a row.

    Raises:
        TemplateError: the template is broken or reaches for more than its row; `where` is only the line.
    """
    tree = _checked(text, dialect).tree
    return frozenset(meta.find_undeclared_variables(tree)) - set(_environment(dialect).globals)


def line_of(text: str, name: str, *, dialect: Dialect = "strict") -> int:
    """Return the line of the template in which a name stands first."""
    tree = _checked(text, dialect).tree
    return min((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), default=1)


def render(text: str, row: Mapping[str, Any], *, dialect: Dialect = "strict", seed: int = 0) -> str:
    """Return what the template says of the row; a strict one without white space around it.

    `seed` belongs to the row: the same template and row always draw the same.

    Raises:
        TemplateError: the template is broken, fails on this row, writes or does too much.
    """
    pieces = _checked(text, dialect).pieces
    written = None if pieces is None else _put_together(pieces, row)
    if dialect == "lenient":
        return _strangers.ask({"text": text, "row": row, "seed": seed}) if written is None else written
    if written is None:
        few = [(name, type(row[name]), row[name]) for name in columns(text) if name in row]
        if all(kind in (int, bool) or (kind in (str, tuple) and len(value) < SHORT) for _, kind, value in few):
            written = _remembered(text, tuple(few))
        else:
            written = _rendered(text, row, dialect=dialect, seed=seed)
    return written.strip()


@lru_cache(maxsize=4096)
def _remembered(text: str, few: tuple[tuple[str, type, Any], ...]) -> str:
    """Return what a template says of a few short values, as labels are: there are only so many of them."""
    return _rendered(text, {name: value for name, _, value in few}, dialect="strict", seed=0)


def _put_together(pieces: Sequence[tuple[str, str]], row: Mapping[str, Any]) -> str | None:
    """Return words and columns one behind the other; None where Jinja has to see to it.

    That is ten times as fast as Jinja, and most wordings are no more.
    """
    written = []
    for words, column in pieces[:-1]:
        said = row.get(column)
        if type(said) is not str:  # missing, null, a number, a list
            return None
        written += [words, said]
    written.append(pieces[-1][0])
    return together if len(together := "".join(written)) <= bounded.LONGEST else None


def serve_strangers() -> None:
    """Render lenient templates for another process, which asks through the standard input."""
    serve(lambda asked: _rendered(**asked, dialect="lenient"))


_strangers = Apart("from afters.data.sandbox import serve_strangers; serve_strangers()")


def _rendered(text: str, row: Mapping[str, Any], *, dialect: Dialect, seed: int) -> str:
    _chance.seed, _chance.drawn = seed, 0
    try:
        return bounded.write(_checked(text, dialect).template, _own(row))
    except Exception as error:  # a template may fail in any way that Python can
        raise TemplateError("the template fails on this row", received=bounded.told(error)) from None


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
