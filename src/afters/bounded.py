"""Jinja2 that pays for its work: what a template goes through and builds comes out of one budget a row.

A unit of work is about the cost of one character. Every turn of a loop, call, filter and operator pays before it works,
with the size of what it reads and of what it is going to build; so neither time nor memory depends on who wrote the
template. Attributes and methods are those that `METHODS` names, and no others.

How: the tree of a template is rewritten before it is compiled. What loops, compares, joins or slices gets its operands
through a filter that pays (`_pay_for`); filters, operators and calls are Jinja2's own hooks.
What is not covered, and why, stands in design/templates-from-strangers.md.
"""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence
from functools import wraps
from itertools import islice
from string import Formatter
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

LONGEST = 1_000_000
"""Characters that a template may write: some 200,000 words, beyond any model's context."""

LONGEST_TEMPLATE = 50_000
"""Characters of a template: to compile as many can take half a second."""

WORK = 20_000_000
"""Units for one row, less than a second: twenty passes over the longest text."""

CALL = 200
"""Units for a filter or a test, half a call, two turns of a loop: so much is copied in its time."""

NODE = 10
"""Units for each part of a loop's or a macro's body, each time that it runs."""

ITEM = 32
"""Units for an item of a list, beside what it says."""

DEEPEST = 100
"""Lists in lists: Python's hash of tuples in tuples needs the processor's stack, and has no limit of its own."""

GREATEST = 2**61 - 1
"""Whole numbers stay below it: Python's hashes repeat from here on, so a few of them could make a dict slow."""

REFUSED_FILTERS = ("attr", "random", "center", "pprint", "wordwrap", "striptags", "urlize", "xmlattr")
"""They reach, draw by chance, or take a time that grows with the square of the text."""

REFUSED_GLOBALS = ("lipsum", "cycler", "joiner")

CHEAP_FILTERS = ("default", "d", "first", "last", "length", "count", "safe", "choice", "random")
"""They take no longer for a long value than for a short one."""

REFUSED_NODES = {
    **{nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "from … import"},
    **{nodes.Extends: "extends", nodes.Block: "block", nodes.EvalContextModifier: "autoescape"},
}

DEAR_TESTS = tuple("in == eq equalto != ne > gt greaterthan >= ge < lt lessthan <= le lower upper filter test".split())
"""The tests that go through what they are given."""

METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        "capitalize casefold count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace"
        " istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit"
        " rstrip split splitlines startswith strip swapcase title upper".split()
    ),
    list: frozenset("append clear copy count extend index insert pop remove reverse sort".split()),
    tuple: frozenset(["count", "index", "grouper", "list"]),
    dict: frozenset("clear copy get items keys pop setdefault update values".split()),
    datetime.datetime: frozenset("year month day hour minute second date time weekday isoformat strftime".split()),
    datetime.date: frozenset("year month day weekday isoformat strftime".split()),
    datetime.time: frozenset("hour minute second isoformat strftime".split()),
    datetime.timedelta: frozenset(["days", "seconds", "total_seconds"]),
    LoopContext: frozenset(
        "index index0 revindex revindex0 first last length depth depth0 previtem nextitem cycle changed".split()
    ),
}
"""What a template may ask of a value; a namespace gives what the template put there."""

_SEARCHES_BACKWARDS = frozenset("rfind rindex rpartition rsplit strip lstrip rstrip".split())
_READS_ITEMS = frozenset("count index remove sort".split())
_MOVES_ITEMS = frozenset("clear copy extend insert pop reverse".split())
_MAKES_LISTS = frozenset("split rsplit splitlines list slice batch groupby sort unique items dictsort".split())


class _Purse(threading.local):
    """What is left for the row that this thread renders."""

    left = WORK

    def pay(self, units: int) -> None:
        self.left -= units
        if self.left < 0 or units < 0:
            raise SecurityError(f"more work than a row may take ({WORK:,} units)")


purse = _Purse()


def weight(value: Any) -> int:
    """Return the units of going once through a value, with all that it holds, as often as it holds it."""
    if isinstance(value, str):
        return len(value)
    total, level = 0, [value]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                total += len(item)
            elif kind is list or kind is tuple or isinstance(item, set | frozenset | tuple | MappingView):
                total += ITEM * len(item)
                inner += item if total <= purse.left else ()
            elif kind is dict or kind is Namespace:
                items = item if kind is dict else object.__getattribute__(item, "_Namespace__attrs")
                total += 2 * ITEM * len(items)
                inner += [*items, *items.values()] if total <= purse.left else ()
            elif isinstance(item, range):
                total += ITEM * len(item)
            else:
                total += len(item) if isinstance(item, str | bytes) else 1
        if total > purse.left:
            purse.pay(total)  # which it cannot
        if not inner:
            return total
        level = inner
    raise SecurityError(f"lists in lists, more than {DEEPEST} deep")


def _pay_for(value: Any) -> Any:
    """Pay for going through a value and return it, what comes one by one as a list."""
    kind = type(value)
    if kind is str:
        purse.pay(len(value))
    elif kind is not int and kind is not bool and kind is not float and value is not None:
        if hasattr(value, "__next__") and not isinstance(value, LoopContext):
            value = list(islice(value, purse.left // ITEM + 1))
        purse.pay(weight(value))
    return value


def _number(value: Any) -> Any:
    """Return a result, unless it is a whole number that is too great."""
    if type(value) is int and not -GREATEST < value < GREATEST:
        raise SecurityError("a whole number beyond 2 ** 61")
    return value


def _small(value: Any, most: int) -> int:
    """Return a width or a count that an argument gives."""
    if not isinstance(value, int) or abs(value) > most:
        raise SecurityError(f"a number beyond {most:,}")
    return abs(value)


class _Formatter(SandboxedFormatter):
    """`str.format` that pays for what it writes."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(_pay_for(value), conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        """Write one value, in a field of no more than 999 characters."""
        if len(format_spec) > 100 or re.search(r"\d{4}", format_spec):
            raise SecurityError(f"a field as wide as '{format_spec[:20]}'")
        purse.pay(CALL + 1000)
        return Formatter.format_field(self, _pay_for(value), format_spec)


class Environment(SandboxedEnvironment):
    """A Jinja2 environment whose templates pay from `purse`."""

    intercepted_binops = frozenset(["+", "-", "*", "**", "%"])

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in REFUSED_FILTERS:
            del self.filters[name]
        for name in REFUSED_GLOBALS:
            del self.globals[name]

    def concat(self, pieces: Iterable[str]) -> str:
        """Join what a macro, a block or a filter's block has written."""
        texts = list(pieces)
        purse.pay(sum(map(len, texts)))
        return "".join(texts)

    def seal(self) -> None:
        """Make filters and tests pay; to be called when all of them are there."""
        self.filters |= {name: _paid(name, work) for name, work in self.filters.items() if name not in CHEAP_FILTERS}
        self.tests |= {name: _paid(name, self.tests[name]) for name in DEAR_TESTS}
        self.filters |= {"(turns)": _turns, "(joined)": _joined, "(paid)": _through, "(body)": _body}

    def read(self, text: str) -> tuple[nodes.Template, Template]:
        """Return the tree of a template, and what renders it.

        Raises:
            TemplateSyntaxError: it is broken, too long, or nested too deeply.
        """
        if len(text) > LONGEST_TEMPLATE:
            raise TemplateSyntaxError(f"{len(text):,} characters; at most {LONGEST_TEMPLATE:,}", 1)
        try:
            tree = self.parse(text)
            template = self.from_string(tree)  # an unknown filter is only seen here
        except TemplateSyntaxError:
            raise
        except Exception as error:  # nested too deeply, or a number that Python does not read
            raise TemplateSyntaxError(told(error), 1) from None
        template.globals = dict(template.globals)  # Jinja's chain of them is slow to go through, once for each row
        return tree, template

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        # Constants are folded at this point, with the same filters.
        purse.left = WORK
        return super()._generate(_Rewriter().visit(source), *args, **kwargs)

    def call_filter(self, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a filter that a template names by a text, which may be none of ours."""
        if str(name).startswith("("):
            raise SecurityError(f"No filter named {name!r}.")
        return super().call_filter(name, value, *args, **kwargs)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; a key is read for its hash, or for the message that there is none."""
        if type(argument) is not str and type(argument) is not int:
            _pay_for(argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may have this attribute."""
        if type(obj) is Namespace:
            return not attr.startswith("_")
        named = METHODS.get(type(obj))
        if named is None:
            named = next((names for kind, names in METHODS.items() if isinstance(obj, kind)), frozenset())
        return attr in named

    def unsafe_undefined(self, obj: Any, attribute: str) -> Any:
        """Refuse at once: a lenient template would write nothing and go on."""
        raise SecurityError(f"'{attribute[:60]}' of {type(obj).__name__} is not allowed here")

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return a `format` that pays instead of Python's."""
        if type(value) is not BuiltinMethodType or value.__name__ not in ("format", "format_map"):
            return None
        text, formatter = value.__self__, _Formatter(self)
        if not isinstance(text, str):
            return None
        if value.__name__ == "format":
            return lambda *args, **kwargs: formatter.vformat(_pay_for(text), args, kwargs)
        return lambda mapping: formatter.vformat(_pay_for(text), (), mapping)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a method or a global."""
        purse.pay(2 * CALL)
        args = tuple(map(_pay_for, args))
        for name, value in kwargs.items():
            if name[:1] != "_":  # Jinja2's own
                kwargs[name] = _pay_for(value)
        if isinstance(called, BuiltinMethodType | MethodType):
            _pay_for_method(called.__self__, called.__name__, args, kwargs)
        return super().call(context, called, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute `left operator right`, unless the result could be great or long."""
        if operator == "**":
            if not isinstance(right, float):
                _small(right, 64)
            _number(left)
        elif type(left) in (int, float) and type(right) in (int, float):
            pass  # as most are
        elif operator == "%":
            _format(_pay_for(left), *(right if isinstance(right, tuple) else [right]))
        elif operator == "*":
            for several, times in ((left, right), (right, left)):
                if hasattr(several, "__len__") and isinstance(times, int):
                    _allow(len(several) * times)
                    purse.pay(len(several) * max(times, 0) * (1 if isinstance(several, str) else ITEM))
        elif operator == "+":
            built = sum(len(side) for side in (left, right) if hasattr(side, "__len__"))
            purse.pay(built if isinstance(left, str) else ITEM * built)
        return _number(self.binop_table[operator](left, right))


def reaches(tree: nodes.Template, filters: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Give the line and the name of what a template reaches for beyond its values and its own filters."""
    for node in tree.find_all(nodes.Node):
        name = _reached(node, filters)
        if name is not None:
            yield node.lineno, name


def _reached(node: nodes.Node, filters: Iterable[str]) -> str | None:
    for kind, name in REFUSED_NODES.items():
        if isinstance(node, kind):
            return f"{{% {name} %}}"
    if isinstance(node, nodes.Getattr | nodes.NSRef) and node.attr.startswith("_"):
        return node.attr
    if isinstance(node, nodes.For) and node.recursive:
        return "a loop that calls itself"
    if isinstance(node, nodes.Name) and node.name.startswith("__"):
        return node.name
    if isinstance(node, nodes.Filter) and node.name not in filters:
        return f"the filter '{node.name}'"
    return None


def write(template: Template, values: Mapping[str, Any]) -> str:
    """Return what a template makes of the values; it may fail in any way that Python can."""
    purse.left = WORK
    pieces: list[str] = []
    length = 0
    for piece in template.generate(values):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST:
            _allow(length)
    return "".join(pieces)


def day(date: Any, form: str) -> str:
    """Return a date in a form of C's `strftime`, which takes up to 256 times as much memory as the form."""
    if len(form) > 100:
        raise SecurityError("a date's form of more than 100 characters")
    return str(date.strftime(form))


def told(error: Exception) -> str:
    """Return what went wrong, in the template's own words where it has raised it."""
    if type(error) is TemplateError:
        return str(error)
    said = str(error)[:300]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _allow(length: int) -> None:
    if length > LONGEST:
        raise SecurityError(f"more than {LONGEST:,} characters")


class _Rewriter(NodeTransformer):
    """Puts what pays around what works."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "(turns)", nodes.Const(_parts([*node.body, *node.else_, node.test])))
        return node

    def visit_Macro(self, node: nodes.Macro | nodes.CallBlock) -> nodes.Node:
        self.generic_visit(node)
        cost = nodes.Const(_parts(node.body))
        node.body.insert(0, nodes.ExprStmt(_filtered(cost, "(body)"), lineno=node.lineno))
        return node

    visit_CallBlock = visit_Macro

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.Tuple(node.nodes, "load", lineno=node.lineno), "(joined)")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if len(sides) == 2 and (_short(sides[1]) or (_short(sides[0]) and node.ops[0].op not in ("in", "notin"))):
            return node  # soon told from a long one
        node.expr = _filtered(node.expr, "(paid)")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, "(paid)")
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, "(paid)")
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _filtered(node.key, "(paid)")
        return node


def _filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _parts(body: Iterable[nodes.Node | None]) -> int:
    """Return how much of a template stands in a body."""
    return sum(1 + sum(1 for _ in node.find_all(nodes.Node)) for node in body if node is not None)


def _short(node: nodes.Expr) -> bool:
    """Tell whether a node is a constant, or a list of them, to compare a value with."""
    if isinstance(node, nodes.List | nodes.Tuple):
        return all(isinstance(item, nodes.Const) for item in node.items)
    return isinstance(node, nodes.Const)


@pass_context
def _turns(context: Any, items: Any, parts: int) -> Any:
    """Return what a loop goes through, paid for and as it is now: a list that grows meanwhile would never end."""
    turn = CALL // 2 + NODE * parts
    if not isinstance(items, str | tuple | range):
        if hasattr(items, "__len__"):
            purse.pay(turn * len(items))
            return tuple(items)
        items = tuple(islice(items, purse.left // turn + 1))
    purse.pay(turn * len(items))
    return items


@pass_context
def _joined(context: Any, values: tuple[Any, ...]) -> str:
    """Return the values as one text: what `~` does."""
    for value in values:
        _pay_for(value)
    return "".join(map(str, values))


@pass_context
def _through(context: Any, value: Any) -> Any:
    """Return a value that something is going to read as a whole."""
    return _pay_for(value)


@pass_context
def _body(context: Any, parts: int) -> None:
    """Pay for a macro's body."""
    purse.pay(NODE * parts)


def written(value: Any) -> Any:
    """Return what `{{ }}` is about to write; a text is counted when it is written."""
    return value if type(value) is str else _pay_for(value)


def written_or_nothing(value: Any) -> Any:
    """Return what `{{ }}` is about to write, nothing for null."""
    return value if type(value) is str else "" if value is None else _pay_for(value)


def _paid(name: str, work: Any) -> Callable[..., Any]:
    """Return a filter or a test that pays for what it reads, and for what it may build."""
    place = 1 if hasattr(work, "jinja_pass_arg") else 0
    extra: Callable[..., None] = _EXTRA.get(name, _attributes)
    lists = name in _MAKES_LISTS

    @wraps(work)
    def paying(*args: Any, **kwargs: Any) -> Any:
        purse.pay(CALL)
        given = [_pay_for(value) for value in args[place:]]
        if kwargs:
            kwargs = {key: _pay_for(value) for key, value in kwargs.items()}
        if lists and given and hasattr(given[0], "__len__"):
            purse.pay(ITEM * len(given[0]))
        if extra is not _attributes or kwargs or len(given) > 1:
            extra(*given, **kwargs)
        return _number(work(*args[:place], *given, **kwargs))

    return paying


def _pay_for_method(owner: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Pay for what a method of a built-in type reads, and for what it may build."""
    if isinstance(owner, str):
        purse.pay(len(owner))
        if name == "replace":
            _replace(owner, *args)
        elif name == "join" and args:
            _join(args[0], owner)
        elif name in _SEARCHES_BACKWARDS:  # Python searches forwards in linear time, backwards not
            purse.pay(len(owner) * (sum(len(arg) for arg in args if isinstance(arg, str)) // 8))
        if name in _MAKES_LISTS:
            by = args[0] if args and isinstance(args[0], str) else ""
            purse.pay(ITEM * (owner.count(by) if by else len(owner) // 4))
    elif name == "strftime":
        day(owner, *args)
    elif name == "sort" and "key" in kwargs:
        raise SecurityError("sort(key=…) is not allowed here")
    elif name in _READS_ITEMS:
        purse.pay(4 * weight(owner))
    elif name in _MOVES_ITEMS and hasattr(owner, "__len__"):
        purse.pay(len(owner) if name in ("copy", "extend") else len(owner) // 8)


def _attributes(items: Any, *args: Any, **kwargs: Any) -> None:
    """Pay for looking up an attribute as a.b.c in each item."""
    if isinstance(items, Sequence) and not isinstance(items, str):
        texts = [text for text in (*args, *kwargs.values()) if isinstance(text, str)]
        purse.pay(len(items) * sum(map(len, texts)))


def _replace(text: Any, old: Any, new: Any, count: Any = None) -> None:
    text, old, new = str(text), str(old), str(new)
    purse.pay(len(text) + text.count(old) * len(new))


def _join(items: Any, between: Any = "", attribute: Any = None) -> None:
    if hasattr(items, "__len__"):
        purse.pay(len(items) * (weight(between) + (weight(attribute) if attribute is not None else 0)))


def _indent(text: Any, width: Any = 4, first: Any = False, blank: Any = False) -> None:
    wide = len(width) if isinstance(width, str) else _small(width, 1000)
    purse.pay((len(str(text).splitlines()) + 1) * wide)


def _count_given(items: Any, count: Any, fill_with: Any = None) -> None:
    purse.pay(ITEM * _small(count, LONGEST))


def _round(value: Any, precision: Any = 0, method: Any = "common") -> None:
    _small(precision, 20)


def _int(value: Any, default: Any = 0, base: Any = 10) -> None:
    if isinstance(value, str) and len(value) > 100:
        raise SecurityError("a number of more than 100 digits")


def _format(text: Any, *args: Any, **kwargs: Any) -> None:
    # As %9999d, %*d, %.9999f and %(key)9999d; a key with a parenthesis in it may hide one.
    if re.search(r"%(\([^()]*\))?[^a-zA-Z%(]*(\d{4}|\*)|%\([^)]*\(", str(text)):
        raise SecurityError("a field that is too wide")
    purse.pay(str(text).count("%") * (1000 + max(map(weight, (*args, *kwargs.values())), default=0)))


def _json(value: Any, *args: Any, **kwargs: Any) -> None:
    indent = kwargs.get("indent", args[0] if args else None)
    separators = kwargs.get("separators") or ()
    wide = len(indent) if isinstance(indent, str) else _small(indent or 0, 1000)
    purse.pay(weight(value) * (1 + wide * _depth(value) + sum(map(len, separators))))


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return 1 + max(map(_depth, inner), default=0)


def _sum(items: Any, attribute: Any = None, start: Any = 0) -> None:
    purse.pay(weight(items) * (weight(attribute) + (len(items) if hasattr(start, "__len__") else 1)))


def _sorted(items: Any, *args: Any, **kwargs: Any) -> None:
    texts = [text for text in (*args, *kwargs.values()) if isinstance(text, str)]
    purse.pay(4 * weight(items) + len(items) * CALL * sum(1 + text.count(",") + text.count(".") for text in texts))


def _words(text: Any) -> None:
    """Pay for what Python does character by character."""
    purse.pay(10 * weight(text))


def _trim(text: Any, chars: Any = None) -> None:
    purse.pay(len(str(text)) * (len(chars or "") // 8))


_EXTRA: dict[str, Callable[..., None]] = {
    **{"replace": _replace, "join": _join, "indent": _indent, "batch": _count_given, "slice": _count_given},
    **{"round": _round, "int": _int, "format": _format, "tojson": _json, "sum": _sum, "trim": _trim},
    **dict.fromkeys(("sort", "unique", "groupby", "dictsort"), _sorted),
    **dict.fromkeys(("title", "wordcount", "urlencode"), _words),
}
"""What filters pay beside the weight of all that they are given; each takes the filter's own arguments."""
