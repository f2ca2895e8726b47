"""Made-up rows for templates whose data set is not at hand: the types are read off how a template uses its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, TypeGuard

import jinja2
from jinja2 import nodes

TEXT_FILTERS = frozenset("capitalize escape indent lower replace title trim truncate upper wordcount".split())
LIST_FILTERS = frozenset(
    "batch choice first join last list map most_frequent random reject rejectattr select selectattr slice sort sum"
    " unique".split()
)
NUMBER_FILTERS = frozenset(["abs", "round"])
TEXT_METHODS = frozenset(
    "capitalize count endswith find format index isupper join lower lstrip partition replace rfind rstrip split"
    " splitlines startswith strip title upper".split()
)
TRIED = 400


def _is_text(node: nodes.Node) -> TypeGuard[nodes.Const]:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


class Shape:
    """What a template does with a value."""

    def __init__(self) -> None:
        self.fields: dict[str, Shape] = {}
        self.items: Shape | None = None
        self.least = 4
        self.kind = ""
        self.constants: list[Any] = []
        """What it is compared with."""
        self.held: list[str] = []
        """What is looked for in it."""

    def field(self, name: str) -> Shape:
        return self.fields.setdefault(name, Shape())

    def item(self) -> Shape:
        self.items = self.items or Shape()
        return self.items

    def sample(self, name: str, chance: Random, spoken: Sequence[Any]) -> Any:
        """Return a value that may stand there; `spoken` are the constants that the template speaks of anywhere."""
        if self.fields and not (self.kind == "text" and chance.random() < 0.5):
            return {key: shape.sample(key, chance, spoken) for key, shape in self.fields.items()}
        if self.items is not None and not (self.kind == "text" and chance.random() < 0.5):
            several = range(self.least + chance.choice((0, 0, 2, 6)))
            return [self.items.sample(f"{name} {number}", chance, spoken) for number in several]
        # Templates compare columns with each other, too: a third of all values is the same short text or number.
        plain: dict[str, list[Any]] = {"text": [f"some {name}", "A"], "number": [1, 0, 2, 3]}
        options = [*self.constants, *self.constants, *plain.get(self.kind, [f"some {name}", "A", "A", 1, 0])]
        if self.held:
            options += [" ".join(self.held), "".join(self.held), f"{name} " + " x ".join([*self.held, "y"])]
        if not self.kind:
            options += [["one", "two", "three", "four"], {"text": ["A", "B"]}, True, "", "Let x = 1. Solve y. A. B. C."]
        if spoken and chance.random() < 0.3:
            options = [value for value in spoken if not self.kind or isinstance(value, str) == (self.kind == "text")]
        return chance.choice(options or ["A"])


class Reader:
    """Reads off a template what its columns look like."""

    def __init__(self) -> None:
        self.root = Shape()
        self.names: dict[str, Shape] = {}
        self.tables: dict[str, nodes.Dict | nodes.List] = {}
        self.spoken: list[Any] = []

    def read(self, text: str) -> None:
        tree = jinja2.Environment().parse(text)
        self.spoken += [node.value for node in tree.find_all(nodes.Const) if node.value not in (None, "", -1)]
        for node in tree.body:
            self._statement(node)

    def _statement(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.For):
            self._bind(node.target, self._elements(node.iter))
            self._all([*node.body, *node.else_, *([node.test] if node.test else [])])
        elif isinstance(node, nodes.Assign):
            found = self._value(node.node)
            if isinstance(node.target, nodes.Name):
                self.names[node.target.name] = found
                if isinstance(node.node, nodes.Dict | nodes.List):
                    self.tables[node.target.name] = node.node
        elif isinstance(node, nodes.Expr):
            self._value(node)
        else:
            self._all(node.iter_child_nodes())

    def _all(self, found: Any) -> None:
        for node in found:
            self._statement(node)

    def _elements(self, node: nodes.Node) -> list[Shape]:
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "zip":
            return [self._value(argument).item() for argument in node.args]
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "items":
            self._value(node.node.node)
            return [Shape(), Shape()]
        return [self._value(node).item()]

    def _bind(self, target: nodes.Node, shapes: list[Shape]) -> None:
        if isinstance(target, nodes.Name):
            self.names[target.name] = shapes[0]
        elif isinstance(target, nodes.Tuple):
            for name, shape in zip(target.items, shapes * len(target.items), strict=False):
                self._bind(name, [shape])

    def _value(self, node: nodes.Node) -> Shape:
        if isinstance(node, nodes.Name):
            return self.names.get(node.name) or self.root.field(node.name)
        if isinstance(node, nodes.Getattr):
            return self._value(node.node).field(node.attr)
        if isinstance(node, nodes.Getitem):
            return self._item(node)
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self._filtered(node)
        if isinstance(node, nodes.Call):
            return self._called(node)
        if isinstance(node, nodes.Compare):
            self._compared(node)
        elif isinstance(node, nodes.Add | nodes.Sub | nodes.Mul | nodes.Div | nodes.Mod):
            self._computed(node)
        else:
            self._all(node.iter_child_nodes())
        return Shape()

    def _item(self, node: nodes.Getitem) -> Shape:
        of, by = self._value(node.node), node.arg
        if isinstance(by, nodes.Const) and isinstance(by.value, str):
            return of.field(by.value)
        if isinstance(by, nodes.Slice):
            self._all(by.iter_child_nodes())
            return of
        if isinstance(by, nodes.Const) and isinstance(by.value, int):
            of.least = max(of.least, by.value + 1)
        elif isinstance(table := self._table(node.node), nodes.Dict):
            self._value(by).constants += [pair.key.value for pair in table.items if _is_text(pair.key)]
        elif not (isinstance(node.node, nodes.Name) and node.node.name in self.names):
            self._value(by).kind = "number"
        return of.item()

    def _table(self, node: nodes.Node) -> nodes.Node:
        """Return the dict or list that the template writes out and may have given a name."""
        return self.tables.get(node.name, node) if isinstance(node, nodes.Name) else node

    def _filtered(self, node: nodes.Filter) -> Shape:
        of = self._value(node.node)  # type: ignore[arg-type]
        self._all(node.args)
        if node.name in TEXT_FILTERS:
            of.kind = of.kind or "text"
        elif node.name in NUMBER_FILTERS:
            of.kind = "number"
        elif node.name in LIST_FILTERS:
            item = of.item()
            named = [pair.value for pair in node.kwargs if pair.key == "attribute"]
            named += node.args[:1] if node.name.endswith("attr") else []
            if named and isinstance(named[0], nodes.Const):
                item.field(str(named[0].value))
            return item if node.name in ("choice", "random", "first", "last") else of
        return of

    def _called(self, node: nodes.Call) -> Shape:
        self._all(node.args)
        if not isinstance(node.node, nodes.Getattr):
            return Shape()
        of, method = self._value(node.node.node), node.node.attr
        if isinstance(table := self._table(node.node.node), nodes.List):
            for argument in node.args:
                self._value(argument).constants += [item.value for item in table.items if _is_text(item)]
        if method in TEXT_METHODS:
            of.kind = of.kind or "text"
            of.held += [constant.value for constant in node.args if _is_text(constant)]
            return of if method in ("split", "splitlines") else Shape()
        return of

    def _compared(self, node: nodes.Compare) -> None:
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        shapes = [self._value(side) for side in sides]
        for side in sides:
            known = [side] if isinstance(side, nodes.Const) else list(side.find_all(nodes.Const))
            if _is_text(side) and node.ops[0].op in ("in", "notin"):
                shapes[-1].held.append(side.value)
            elif isinstance(side, nodes.Const | nodes.List | nodes.Tuple):
                for shape in shapes:
                    shape.constants += [constant.value for constant in known if constant.value not in shape.constants]

    def _computed(self, node: nodes.BinExpr) -> None:
        shapes = [self._value(side) for side in (node.left, node.right)]
        for side in (node.left, node.right):
            if isinstance(side, nodes.Const):
                for shape in shapes:
                    shape.kind = shape.kind or ("number" if isinstance(side.value, int | float) else "text")


def dummy_rows(*texts: str) -> Iterator[dict[str, Any]]:
    """Yield a few hundred rows on which a template of these texts may work."""
    reader = Reader()
    for text in texts:
        reader.read(text)
    shapes = {
        name: shape for name, shape in reader.root.fields.items() if name not in ("answer_choices", "range", "zip")
    }
    chance = Random(7)
    for _ in range(TRIED):
        yield {name: shape.sample(name, chance, reader.spoken) for name, shape in shapes.items()}
