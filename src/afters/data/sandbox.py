"""Template text: what it may do, which columns it names, and what it says of a row.

Jinja2 without Python: no attribute that `bounded.py` does not name, no other file, no chance but the row's own, no text
beyond `LONGEST`, no more work than `WORK`. A template gets its own copy of the row's lists and objects, so that the row
never changes. What is not covered, and why, stands in design/templates-from-strangers.md.

Three dialects. `strict` is ours: what is not there is an error, null writes nothing, outer white space goes. `lenient`
is the plain Jinja2 of promptsource's templates: what is not there writes nothing, null writes `None`, white space
stays, and there are `zip`, `choice`, `random`, `most_frequent` and `highlight`; chance comes from the row's seed.
`chat` is what transformers gives to a tokenizer's chat template, on a day that is always the same.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

from afters import seeds
from afters.data import bounded
from afters.data.bounded import LONGEST, WORK
from afters.errors import TemplateError

Dialect = Literal["strict", "lenient", "chat"]

RENDERER = "1"
"""To be raised when the same template and row come to another text; part of a Dataset's fingerprint."""

LONGEST_TEMPLATE = 50_000
"""Characters of a template: to compile as many can take half a second."""

DAY = datetime.date(2024, 7, 26)
"""What a chat template is told of today: a prompt must be the same tomorrow. It is Llama 3's default."""

REFUSED_NODES = {
    **{nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "from … import"},
    **{nodes.Extends: "extends", nodes.Block: "block", nodes.EvalContextModifier: "autoescape"},
}


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


class _Generation(Extension):
    """`{% generation %}`: where the model's own words stand, which we find out otherwise."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the words as they are, in a scope of their own as in transformers."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def _plain_json(value: Any, ensure_ascii: bool = False, indent: Any = None, **given: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **given)


def _raise(message: Any) -> None:
    raise jinja2.TemplateError(str(message))


def _today(form: str) -> str:
    return DAY.strftime(form) if len(form) <= 100 else ""


@lru_cache(maxsize=3)
def _environment(dialect: Dialect) -> bounded.Environment:
    chat = {"trim_blocks": True, "lstrip_blocks": True, "extensions": [_Generation, loopcontrols]}
    environment = bounded.Environment(
        undefined=jinja2.StrictUndefined if dialect == "strict" else jinja2.Undefined,
        finalize=bounded.written_or_nothing if dialect == "strict" else bounded.written,
        **(chat if dialect == "chat" else {}),
    )
    if dialect == "lenient":
        environment.globals["zip"] = zip
        environment.filters |= {"choice": _chance.pick, "random": _chance.pick}
        environment.filters |= {"most_frequent": _most_frequent, "highlight": _highlight}
    if dialect == "chat":
        environment.globals |= {"raise_exception": _raise, "strftime_now": _today}
        environment.filters["tojson"] = _plain_json
    environment.close()
    return environment


@lru_cache(maxsize=512)
def _checked(text: str, dialect: Dialect) -> tuple[nodes.Template, jinja2.Template]:
    """Return the tree of a template, and what renders it."""
    if len(text) > LONGEST_TEMPLATE:
        expected = f"at most {LONGEST_TEMPLATE:,} characters"
        raise TemplateError("the template is too long", where="line 1", expected=expected, received=f"{len(text):,}")
    try:
        tree = _environment(dialect).parse(text)
        compiled = _environment(dialect).from_string(tree)  # an unknown filter is only seen here
    except jinja2.TemplateSyntaxError as error:
        raise _broken(f"line {error.lineno}", error.message) from None
    except Exception as error:  # nested too deeply, or a number that Python does not read
        raise _broken("line 1", _told(error)) from None
    for problem in _refusals(tree, dialect):
        raise problem
    return tree, compiled


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
    _, compiled = _checked(text, dialect)
    pieces: list[str] = []
    length = 0
    _chance.seed, _chance.drawn = seed, 0
    bounded.purse.left = WORK
    try:
        for piece in compiled.generate(_own(row)):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST:
                bounded.allow(length)
    except Exception as error:  # a template may fail in any way that Python can
        raise TemplateError("the template fails on this row", received=_told(error)) from None
    written = "".join(pieces)
    return written.strip() if dialect == "strict" else written


def value(text: str, row: Mapping[str, Any]) -> Any:
    """Return the value of a template that is one expression, as `{{ options }}`, without making it text.

    Raises:
        TemplateError: it is no single expression, or fails on this row.
    """
    _checked(text, "strict")
    bounded.purse.left = WORK
    try:
        return bounded.written(_expression(text)(_own(row)))
    except Exception as error:
        raise TemplateError("the expression fails on this row", received=_told(error)) from None


@lru_cache(maxsize=64)
def _expression(text: str) -> Any:
    inner = text.strip().removeprefix("{{").removesuffix("}}")
    return _environment("strict").compile_expression(inner, undefined_to_none=False)


def _broken(where: str, received: str | None) -> TemplateError:
    expected = "Jinja2, as in {{ column }}"
    return TemplateError("the template is broken", where=where, expected=expected, received=received)


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
    if isinstance(node, nodes.Getattr | nodes.NSRef) and node.attr.startswith("_"):
        return node.attr
    if isinstance(node, nodes.For) and node.recursive:
        return "a loop that calls itself"
    if isinstance(node, nodes.Name) and node.name.startswith("__"):
        return node.name
    said = node.value if isinstance(node, nodes.Const) and dialect == "strict" else None
    if isinstance(said, str) and re.search("__[a-z]", said):
        return said  # as in map(attribute="__class__"); "____" is a gap to be filled in
    if isinstance(node, nodes.Filter) and node.name not in _environment(dialect).filters:
        return f"the filter '{node.name}'"
    return None


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a row, and of the lists and objects that it holds: a template may change them."""
    return {name: _copied(item) if isinstance(item, _HOLDERS) else item for name, item in row.items()}


_HOLDERS = (list, dict, tuple)


def _copied(holder: Any) -> Any:
    if isinstance(holder, dict):
        return _own(holder)
    items = [_copied(item) if isinstance(item, _HOLDERS) else item for item in holder]
    return tuple(items) if isinstance(holder, tuple) else items


def _told(error: Exception) -> str:
    if type(error) is jinja2.TemplateError:  # the template's own words
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
