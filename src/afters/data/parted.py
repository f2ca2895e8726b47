"""Question and answer as one text, parted by `|||`, as promptsource writes them: what it says, and what it shows.

The choices are rendered first and are `answer_choices` in the text. The text is rendered whole and parted then, so that
what the question sets aside the answer can use; a `|||` in a row's own text parts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import jinja2
from jinja2 import nodes

from afters.data import sandbox
from afters.errors import DataError, TemplateError

BAR = "|||"
_GUARD = "\ue000bar\ue001"
"""Stands for a `|||` of the row's own while its text is rendered; characters that Unicode gives no meaning."""

CHOICES = "answer_choices"
"""What the text calls its choices."""


_Node = TypeVar("_Node", bound=nodes.Node)


class Parts(NamedTuple):
    """What the text makes of a row."""

    question: str
    answer: str
    choices: tuple[str, ...]


def render(text: str, row: Mapping[str, Any], *, choices: str | None = None, seed: int = 0) -> Parts:
    """Return question, answer and choices of a row.

    Raises:
        InputError: the text says nothing of this row, or too much; `what` is a phrase that many rows share.
    """
    if CHOICES in row:
        expected = "another name for the column: the template calls its choices so"
        raise DataError(f"a column named '{CHOICES}'", expected=expected)
    guarded = {name: item.replace(BAR, _GUARD) if isinstance(item, str) else item for name, item in row.items()}
    listed = None if choices is None else _parted(choices, guarded, seed=seed)
    parts = _parted(text, {**guarded, CHOICES: listed}, seed=seed)
    if len(parts) > 2:
        raise TemplateError(
            f"more than one '{BAR}'", expected="a question and an answer", received=f"{len(parts)} parts"
        )
    if len(parts) < 2 or not all(parts):
        received = "no answer" if parts[0] else "no question"
        raise DataError("the template leaves this row out", expected="a question and an answer", received=received)
    return Parts(parts[0], parts[1], tuple(listed or ()))


def _parted(text: str, row: Mapping[str, Any], *, seed: int) -> list[str]:
    written = sandbox.render(text, row, dialect="lenient", seed=seed)
    return [part.replace(_GUARD, BAR).strip() for part in written.split(BAR)]


def columns(text: str, *, choices: str | None = None) -> frozenset[str]:
    """Return every column that the text or its choices may read.

    Raises:
        TemplateError: the text is broken or reaches for more than its row.
    """
    found = sandbox.columns(text, dialect="lenient") - {CHOICES}
    return found | (sandbox.columns(choices, dialect="lenient") if choices is not None else frozenset())


@lru_cache(maxsize=512)
def shown(text: str, *, choices: str | None = None) -> frozenset[str]:
    """Return the columns that the question is made of, without those of the answer alone.

    A test that chooses among parts of the question counts; one around question and answer, as `{% if label != -1 %}`,
    does not: it says whether there is a question at all.
    """
    known = columns(text, choices=choices)
    reading = _Reading({CHOICES: columns(choices or "")})
    reading.follow(_tree(text).body, frozenset(["question"]))
    return frozenset(reading.shown) & known


@lru_cache(maxsize=512)
def needed(text: str) -> frozenset[str]:
    """Return the columns that a row must have: those that are read where nothing asks whether they are there.

    Raises:
        TemplateError: the text is broken or reaches for more than its row.
    """
    known = columns(text)
    return frozenset(_unguarded(_tree(text).body, frozenset())) & known


def fault_of(text: str, *, choices: str | None = None) -> str | None:
    """Return why no row could be asked with the text, or None."""
    try:
        columns(text, choices=choices)
    except TemplateError as error:
        return f"{error.what} ({error.where}): {error.received}"
    counts = _bars(_tree(text).body)
    if 1 in counts:
        return None
    return f"more than one '{BAR}'" if max(counts) > 1 else f"no '{BAR}' parts question and answer"


def _bars(body: Iterable[nodes.Node]) -> set[int]:
    """Return how many times `|||` may be written, by whichever way a row goes; 2 stands for more."""
    counts = {0}
    for node in body:
        counts = {min(before + more, 2) for before in counts for more in _bars_of(node)}
    return counts


def _bars_of(node: nodes.Node) -> set[int]:
    if isinstance(node, nodes.TemplateData):
        return {min(node.data.count(BAR), 2)}
    if isinstance(node, nodes.If):
        branches = [node.body, *(other.body for other in node.elif_), node.else_]
        return {count for branch in branches for count in _bars(branch)}
    if isinstance(node, nodes.For):
        once = _bars(node.body)
        return {0} | once | ({2} if max(once) else set())
    if isinstance(node, nodes.Const):
        return {0, 1, 2} if BAR in str(node.value) else {0}
    return _bars(node.iter_child_nodes())


def _tree(text: str) -> nodes.Template:
    return jinja2.Environment().parse(text)


class _Reading:
    """Follows a text from its beginning, and notes which columns are written before the `|||`."""

    def __init__(self, given: Mapping[str, frozenset[str]]) -> None:
        self.shown: set[str] = set()
        self.made = dict(given)
        """Names that the text made, and the columns that they were made of."""

    def follow(self, body: Iterable[nodes.Node], places: frozenset[str]) -> frozenset[str]:
        """Read the nodes in order, from one of these places; return where reading may be afterwards."""
        for node in body:
            places = self._step(node, places)
        return places

    def _step(self, node: nodes.Node, places: frozenset[str]) -> frozenset[str]:
        if isinstance(node, nodes.Output):
            return self.follow(node.nodes, places)
        if isinstance(node, nodes.TemplateData):
            return frozenset(["answer"]) if BAR in node.data else places
        if isinstance(node, nodes.If):
            return self._branches(node, places)
        if isinstance(node, nodes.For):
            self._name(node.target, self._of(node.iter))
            inside = self.follow(node.body, places)
            return places | self.follow(node.body, inside) | self.follow(node.else_, places)
        if isinstance(node, nodes.Assign):
            self._name(node.target, self._of(node.node))
            return places
        if isinstance(node, nodes.AssignBlock | nodes.With | nodes.FilterBlock | nodes.Scope | nodes.Macro):
            return self._block(node, places)
        if isinstance(node, nodes.Expr) and "question" in places:
            self.shown |= self._of(node)
        return places

    def _branches(self, node: nodes.If, places: frozenset[str]) -> frozenset[str]:
        branches = [node.body, *(other.body for other in node.elif_), node.else_]
        if "question" in places and not any(map(_has_bar, branches)):
            self.shown |= self._of(node.test).union(*(self._of(other.test) for other in node.elif_))
        return frozenset[str]().union(*(self.follow(branch, places) for branch in branches))

    def _block(self, node: Any, places: frozenset[str]) -> frozenset[str]:
        for target, value in zip(getattr(node, "targets", ()), getattr(node, "values", ()), strict=True):
            self._name(target, self._of(value))
        if isinstance(node, nodes.AssignBlock):
            self._name(node.target, frozenset[str]().union(*map(self._of, node.body)))
            return places
        return self.follow(node.body, places)

    def _of(self, node: nodes.Node) -> frozenset[str]:
        names = {name.name for name in _of_kind(node, nodes.Name)}
        return frozenset[str]().union(*(self.made.get(name, frozenset([name])) for name in names))

    def _name(self, target: nodes.Node, columns: frozenset[str]) -> None:
        names = {name.name for name in _of_kind(target, nodes.Name)}
        names |= {name.name for name in _of_kind(target, nodes.NSRef)}
        for name in names:
            self.made[name] = self.made.get(name, frozenset()) | columns


def _has_bar(body: Sequence[nodes.Node]) -> bool:
    return any(BAR in data.data for node in body for data in _of_kind(node, nodes.TemplateData))


def _unguarded(body: Iterable[nodes.Node], guards: frozenset[str]) -> Iterator[str]:
    """Yield the names that are read where nothing has asked whether they are there."""
    for node in body:
        if isinstance(node, nodes.Name):
            yield from {node.name} - guards
        elif isinstance(node, nodes.If | nodes.CondExpr):
            yield from _unguarded(node.iter_child_nodes(), guards | _asked_for(node.test))
        elif isinstance(node, nodes.Filter) and node.name in ("default", "d"):
            yield from _unguarded(node.args, guards)
        else:
            yield from _unguarded(node.iter_child_nodes(), guards)


def _asked_for(test: nodes.Node | None) -> frozenset[str]:
    """Return the names of which a test asks whether they are there, or say something."""
    if isinstance(test, nodes.Name):
        return frozenset([test.name])
    if isinstance(test, nodes.And | nodes.Or):
        return _asked_for(test.left) | _asked_for(test.right)
    if isinstance(test, nodes.Not | nodes.Filter) or (isinstance(test, nodes.Test) and test.name == "defined"):
        return _asked_for(test.node)
    if isinstance(test, nodes.Compare) and isinstance(test.expr, nodes.Filter):  # as {% if hint | length > 0 %}
        return _asked_for(test.expr)
    return frozenset()


def _of_kind(node: nodes.Node, kind: type[_Node]) -> Iterator[_Node]:
    if isinstance(node, kind):
        yield node
    yield from node.find_all(kind)
