"""FLAN's patterns of a task: each becomes a wording; those that ask for something else than most are inverted.

Read from FLAN's own `templates.py`, whose tables are taken as literals and never run, or from JSON lines with the same
content. A field of a pattern becomes a column of the row, or what a field map says of it. The choices stand in FLAN's
plain layout; its random ones, and what it puts between solved examples, are not taken over.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from string import Formatter

from afters.data.columns import halved
from afters.data.template import Template, from_settings
from afters.errors import TemplateError, unknown

OPTIONS = ("options_", "options_str")
"""What FLAN calls the choices where a pattern shows them."""

LIST = "options"
"""The column of choices that FLAN's rows have."""

FIELDS: Mapping[str, Mapping[str, str]] = {
    "bool_q": {"text": "passage", "title": "''"},
    "cnn_dailymail": {"text": "article"},
    "rte": {"premise": "sentence1", "hypothesis": "sentence2"},
    "squad_v1": {"answer": "answers.text[0]"},
    "stsb": {"answer_str": "label"},
    "xsum": {"text": "document"},
}
"""How the usual releases name what FLAN's preprocessors renamed, as expressions over a row's columns."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as FLAN writes it; the last fields are those of its few-shot patterns."""

    inputs: str
    targets: str
    inputs_prefix: str = ""
    targets_prefix: str = ""
    x_y_delimiter: str = "\n\n"
    example_separator: str = "\n\n\n"
    final_suffix: str = ""
    input_pattern: str = ""
    in_template_mix: bool = True
    few_shot: bool = False

    @property
    def question(self) -> str:
        """What is asked, up to where the answer begins."""
        if not self.few_shot:
            return self.inputs
        asked = f"{self.inputs_prefix}{self.inputs}{self.x_y_delimiter}{self.targets_prefix}"
        around = self.input_pattern.replace("{{", "{").replace("}}", "}").replace("{final_suffix}", self.final_suffix)
        return around.replace("{inputs}", asked) if around else asked


def from_flan(path: Path, *, task: str, given: Mapping[str, str] | None = None) -> Template:
    """Return the patterns of a task as the wordings of a Template.

    `task` may name a table of the file first, as `FEWSHOT_PATTERNS/rte`; without it, `PATTERNS` is read. `given` says
    for a field of the patterns which column it is, or which expression over the columns.

    Raises:
        TemplateError: the file cannot be read, has no such task, or none of its patterns can be used.
    """
    table, _, name = task.rpartition("/")
    tables = read(path)
    table = table or ("PATTERNS" if "PATTERNS" in tables else next(iter(tables), "PATTERNS"))
    for kind, key, known in (("table", table, tables), ("task", name, tables.get(table, {}))):
        if key not in known:
            raise TemplateError(unknown(kind, key, known), where=path.name)
    patterns = tables[table][name]
    _refuse_faults(task, patterns, file=path.name)
    by_field = {**FIELDS.get(name, {}), **(given or {})}
    notes = lint(name, patterns) + (missing_commas(path.read_text(encoding="utf-8")) if path.suffix == ".py" else [])
    usual = _usual(patterns)
    wordings = [_wording(number, pattern, usual, by_field) for number, pattern in enumerate(patterns)]
    content = {
        "name": name,
        "wordings": wordings,
        "answer": _jinja(usual.strip(), by_field),
        "choices": f"{{{{ {by_field.get(LIST, LIST)} }}}}" if _offers(patterns, usual) else None,
        "notes": tuple(f"FLAN's patterns: {note}" for note in notes),
    }
    return from_settings(content, where=path.name)


def read(path: Path) -> dict[str, dict[str, list[Pattern]]]:
    """Return the tables of a file: for each table and task its patterns.

    Raises:
        TemplateError: the file is missing, or no file of patterns.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tables = _of_python(text) if path.suffix == ".py" else {"PATTERNS": _of_lines(text)}
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError, TypeError, KeyError, RecursionError) as error:
        expected = "FLAN's templates.py, or JSON lines with task, inputs and targets"
        received = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise TemplateError(
            "the patterns cannot be read", where=path.name, expected=expected, received=received
        ) from None
    return {name: tasks for name, tasks in tables.items() if tasks}


def _refuse_faults(task: str, patterns: Sequence[Pattern], *, file: str) -> None:
    """Raise TemplateError where a pattern says something that no wording can.

    Only of the task that is asked for: a file of a hundred tasks is not refused for another one's mistake.
    """
    faults = [(number, fault) for number, pattern in enumerate(patterns) if (fault := _fault(pattern))]
    if faults:
        number, fault = faults[0]
        others = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = "A brace that is text is written twice: {{ or }}. What a field stands for is said in `fields`."
        expected = "text with fields as {column}"
        where, received = f"{file}, {task} {number}", f"{fault}{others}"
        raise TemplateError("the pattern cannot be used", where=where, expected=expected, received=received, hint=hint)


def _fault(pattern: Pattern) -> str | None:
    """Return what of a pattern would be lost or fail, or None."""
    told = {field.name: getattr(pattern, field.name) for field in fields(Pattern) if field.type == "str"}
    for name, text in told.items():
        if not isinstance(text, str):
            return f"`{name}` is {type(text).__name__}"
        if problem := halved(text):
            return f"{problem.received} in `{name}`"
    for text in (pattern.question, pattern.targets):
        try:
            parsed = list(Formatter().parse(text))
        except ValueError as error:
            return f"{error}: {text[:80]!r}"
        for _, field, form, conversion in parsed:
            if field is not None and (not field.isidentifier() or form or conversion):
                return f"{{{field}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
    return None


def lint(task: str, patterns: Sequence[Pattern]) -> list[str]:
    """Return what looks like a mistake in a task's patterns, a sentence each."""
    notes = [
        f"{task} {number} has a stray letter: {found.group()!r}"
        for number, pattern in enumerate(patterns)
        if (found := re.search(r"\{\w+\}n(?=\n|$)", pattern.question))
    ]
    seen: dict[tuple[str, str], int] = {}
    for number, pattern in enumerate(patterns):
        first = seen.setdefault((pattern.question, pattern.targets), number)
        if first != number:
            notes.append(f"{task} {number} is {task} {first} again")
    return notes


def missing_commas(source: str) -> list[str]:
    """Return the texts of a Python file that look like two items of a list between which a comma is missing."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List) and len(node.elts) > 2:
            pieces = [_pieces(ast.get_source_segment(source, item) or "") for item in node.elts]
            joined = [several for several in pieces if len(several) > 1]
            if len(joined) == 1 and all(pieces) and all(piece[-1:] == joined[0][-1][-1:] for piece in joined[0]):
                found.append(f"a comma may be missing in {' '.join(map(repr, joined[0]))}")
    return found


def _pieces(segment: str) -> list[str]:
    """Return the texts that an item of a list is written in; none for what is no text."""
    if segment[:1] not in ("'", '"'):
        return []
    tokens = tokenize.generate_tokens(io.StringIO(f"({segment})").readline)
    return [str(ast.literal_eval(token.string)) for token in tokens if token.type == tokenize.STRING]


def _of_lines(text: str) -> dict[str, list[Pattern]]:
    tasks: dict[str, list[Pattern]] = {}
    known = {field.name for field in fields(Pattern)}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError(f"line {number} is no JSON object")
        told = {key: value for key, value in row.items() if key in known}
        tasks.setdefault(str(row["task"]), []).append(Pattern(**told, few_shot="x_y_delimiter" in row))
    return tasks


def _of_python(source: str) -> dict[str, dict[str, list[Pattern]]]:
    """Return the tables that a module assigns as literals, with the tasks that it gives a second name."""
    tables: dict[str, dict[str, list[Pattern]]] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Dict):
                tables[target.id] = dict(_tasks(node.value))
            elif (place := _place(target)) and place[0] in tables:
                other = _place(node.value)
                if other and other[1] in tables.get(other[0], {}):
                    tables[place[0]][place[1]] = tables[other[0]][other[1]]
                elif found := _patterns(node.value):
                    tables[place[0]][place[1]] = found
    return tables


def _tasks(table: ast.Dict) -> Iterator[tuple[str, list[Pattern]]]:
    for key, value in zip(table.keys, table.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and (found := _patterns(value)):
            yield key.value, found


def _place(node: ast.expr) -> tuple[str, str] | None:
    """Return table and task of `TABLE["task"]`, or None."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
        return node.value.id, str(node.slice.value)
    return None


def _patterns(node: ast.expr) -> list[Pattern]:
    """Return the patterns of a list, or none where it is another kind of list."""
    found = []
    for item in node.elts if isinstance(node, ast.List) else []:
        if isinstance(item, ast.Tuple) and len(item.elts) == 2:
            inputs, targets = map(ast.literal_eval, item.elts)
            found.append(Pattern(inputs, targets))
        elif isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == "FewShotPattern":
            names = (field.name for field in fields(Pattern))
            told = dict(zip(names, map(ast.literal_eval, item.args), strict=False))
            told |= {word.arg: ast.literal_eval(word.value) for word in item.keywords if word.arg}
            found.append(Pattern(**{**told, "few_shot": True}))
    return found


def _named(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)


def _usual(patterns: Iterable[Pattern]) -> str:
    """Return what most patterns ask for."""
    patterns = list(patterns)
    (most, _), *_ = Counter(_named(pattern.targets) for pattern in patterns).most_common()
    return Counter(pattern.targets for pattern in patterns if _named(pattern.targets) == most).most_common(1)[0][0]


def _offers(patterns: Iterable[Pattern], usual: str) -> bool:
    asked = (pattern for pattern in patterns if pattern.targets.strip() == usual.strip())
    return any(_named(pattern.question) & set(OPTIONS) for pattern in asked)


def _wording(number: int, pattern: Pattern, usual: str, by_field: Mapping[str, str]) -> dict[str, object]:
    own = pattern.targets.strip() != usual.strip()
    shown = by_field.get(LIST, LIST) if own else "choices"
    return {
        "id": str(number),
        "prompt": _jinja(pattern.question, by_field, choices=shown),
        "answer": _jinja(pattern.targets, by_field) if own else None,
        "inverted": _named(pattern.targets) != _named(usual),
    }


def _jinja(text: str, by_field: Mapping[str, str], *, choices: str = LIST) -> str:
    """Return a pattern of `str.format` as Jinja2.

    >>> _jinja("{text} {{sic}}?", {"text": "body"})
    '{{ body }} {sic}?'
    """
    said = []
    for literal, name, _, _ in Formatter().parse(text):
        # What Jinja2 would take for its own is written as a constant.
        said.append(f"{{{{ {literal!r} }}}}" if re.search(r"\{[{%#]|\{$", literal) else literal)
        if name in OPTIONS:
            said.append(f'OPTIONS:\n- {{{{ {by_field.get(name, choices)} | join("\\n- ") }}}}')
        elif name:
            said.append(f"{{{{ {by_field.get(name, name)} }}}}")
    return "".join(said)
