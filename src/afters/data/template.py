"""A row becomes words: the wordings that ask, the answer, the choices, the references."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from afters.data import sandbox
from afters.data.columns import as_text
from afters.errors import InputError, TemplateError, nearest, raise_together, unknown
from afters.records import Objective


def _is_expression(text: str) -> bool:
    return text.strip().startswith("{{") and text.strip().endswith("}}")


def _list_or_expression(choices: tuple[str, ...] | str) -> tuple[str, ...] | str:
    if isinstance(choices, str) and not _is_expression(choices):
        raise ValueError("a list of answers, or an expression that gives one, as {{ options }}")
    if not isinstance(choices, str) and (fault := fault_of(choices)):
        raise ValueError(f"answers to choose among: {fault}")
    return choices


def fault_of(choices: Sequence[str]) -> str | None:
    """Return why nobody could choose among these, or None: an empty one costs no word, and of equals none is right."""
    if not all(choice.strip() for choice in choices):
        return "a choice is empty"
    twice = [choice for choice in dict.fromkeys(choices) if choices.count(choice) > 1]
    return f"'{twice[0][:60]}' stands there twice" if twice else None


Choices = Annotated[tuple[str, ...] | str, AfterValidator(_list_or_expression)]
"""A closed set of answers: a list, or one Jinja2 expression that gives a list."""


def _columns_or_expression(references: tuple[str, ...] | str) -> tuple[str, ...] | str:
    if isinstance(references, str):
        if not _is_expression(references):
            raise ValueError("a list of columns, or an expression that gives the answers, as {{ answers.text }}")
        try:
            sandbox.columns(references)
        except TemplateError as error:
            raise ValueError(str(error)) from None
    return references


References = Annotated[tuple[str, ...] | str, AfterValidator(_columns_or_expression)]
"""Right answers: the columns they stand in, or one Jinja2 expression that gives a list of them."""


class Wording(BaseModel):
    """One way to ask."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str
    """A short name, told with every answer."""
    prompt: str
    """What the model is asked: Jinja2 over the row's columns."""
    system: str = ""
    """What a chat model is told first: Jinja2 as well."""


class Template(BaseModel):
    """Turns a row into an instruction and its answer.

    Every text is Jinja2 over the row's columns, in the sandbox of `sandbox.py`. White space around a rendered text is
    taken off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """What messages and the library call it."""
    wordings: tuple[Wording, ...] = Field(min_length=1)
    """The ways to ask; the first one is asked when judging."""
    answer: str
    """What is taught, as `{{ summary }}`."""
    choices: Choices | None = None
    """The closed set of answers: a list, or an expression that gives one, as `{{ options }}`. A template may use it
    as `choices`: `{{ choices[label] }}`."""
    references: References = ()
    """Right answers that only judging rows may have: columns, or an expression that gives a list, as
    `{{ answers.text }}`; without them the answer is the reference."""
    cut: str | None = None
    """The column that may be shortened when a prompt is too long."""
    objective: Objective = "answer"
    """What is taught: the answer, or a part of the prompt, which is then a text and no question."""
    metrics: tuple[str, ...] = ()
    """What suits this kind of answer."""
    primary: str | None = None
    """The score that decides, as `rouge1`."""
    title: str = ""
    """The name for people."""
    category: str = ""
    """The kind of task, as `summarisation`."""
    languages: tuple[str, ...] = ()
    """Of the rows, as `en`."""
    licence: str = ""
    """Of the rows, not of the wordings."""
    source: str = ""
    """Where the rows are from."""
    row: dict[str, Any] = {}
    """A made-up row, to show the template on."""

    def wording(self, name: str | None = None) -> Wording:
        """Return the wording of that id, or the first one.

        Raises:
            TemplateError: there is none of that id.
        """
        if name is None:
            return self.wordings[0]
        by_id = {wording.id: wording for wording in self.wordings}
        if name not in by_id:
            raise TemplateError(unknown("wording", name, by_id), where=f"template '{self.name}'")
        return by_id[name]

    def asked_columns(self) -> tuple[str, ...]:
        """Return the columns that any wording shows, sorted: what an Example's `content` is made of."""
        return tuple(sorted(self._columns_of(text for _, text in self._asking())))

    def used_columns(self) -> tuple[str, ...]:
        """Return every column that decides what an Example says, sorted; a row need not have all of them."""
        asked = self._columns_of([self.answer, *(text for _, text in self._asking())])
        return tuple(sorted(asked | self._choice_columns() | set(self.reference_columns())))

    def answer_columns(self) -> tuple[str, ...]:
        """Return the columns that the answer is made of, sorted."""
        return tuple(sorted(self._columns_of([self.answer])))

    def reference_columns(self) -> tuple[str, ...]:
        """Return the columns that the references are made of."""
        return tuple(sorted(sandbox.columns(self.references))) if isinstance(self.references, str) else self.references

    def render(self, wording: Wording, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return what is asked of the row, and the system part."""
        context = self._context(row)
        return sandbox.render(wording.prompt, context), sandbox.render(wording.system, context)

    def answer_of(self, row: Mapping[str, Any]) -> str:
        """Return what is taught of the row."""
        return sandbox.render(self.answer, self._context(row))

    def choices_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the row's closed set of answers; none when there is no such set."""
        return _listed("choices", self.choices, row) if isinstance(self.choices, str) else self.choices or ()

    def references_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the right answers that the row's reference columns hold; empty ones are none."""
        if isinstance(self.references, str):
            found = _listed("references", self.references, row)
        else:
            found = tuple(as_text(row[name]).strip() for name in self.references)
        return tuple(text for text in found if text)

    def check(self, columns: Sequence[str], *, judging: bool, file: str = "") -> None:
        """Check every text of the template, and that the columns it names are there.

        With `judging`, rows that have all the reference columns need not have the answer's.

        Raises:
            TemplateError: one problem, or `Problems` with several.
        """
        problems: list[InputError] = []
        seen: set[str] = set()
        known = [*columns, "choices"] if self.choices is not None else list(columns)
        place = f"template '{self.name}'"
        for part, text in self._texts(columns, judging=judging):
            for problem in _problems(text, known, where=f"{place}, {part}", file=file):
                if (
                    problem.received or problem.what not in seen
                ):  # eight wordings that name one wrong column: one mistake
                    seen.add(problem.what)
                    problems.append(problem)
        place = f"{file}, {place}" if file else place
        named = [*self.references_in(columns, judging=judging), *([self.cut] if self.cut else [])]
        wrong = [unknown("column", name, columns) for name in named if name not in columns]
        problems += [TemplateError(what, where=place) for what in wrong if what not in seen]
        if not problems and not self.asked_columns():
            expected = "a column in one of them, as {{ question }}"
            problems.append(TemplateError("the wordings show nothing of the row", where=place, expected=expected))
        raise_together(problems)

    def references_in(self, columns: Sequence[str], *, judging: bool) -> tuple[str, ...]:
        """Return the reference columns that such rows are judged by; none: the answer is the reference."""
        named = self.reference_columns()
        return named if judging and set(named) & set(columns) else ()

    def fingerprint(self) -> str:
        """Return as JSON what decides the rendered text, and none of what is only told."""
        parts = {"wordings", "answer", "choices", "references", "cut"}
        parts |= {"objective"} if self.objective != "answer" else set()
        return json.dumps(self.model_dump(mode="json", include=parts), sort_keys=True)

    def _context(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        return row if self.choices is None else {**row, "choices": self.choices_of(row)}

    def _columns_of(self, texts: Iterable[str]) -> set[str]:
        columns = {column for text in texts for column in sandbox.columns(text)}
        if self.choices is not None and "choices" in columns:
            return (columns - {"choices"}) | self._choice_columns()
        return columns

    def _choice_columns(self) -> frozenset[str]:
        return sandbox.columns(self.choices) if isinstance(self.choices, str) else frozenset()

    def _asking(self) -> Iterator[tuple[str, str]]:
        for wording in self.wordings:
            yield f"wording '{wording.id}'", wording.prompt
            yield f"system part of wording '{wording.id}'", wording.system

    def _texts(self, columns: Sequence[str], *, judging: bool) -> Iterator[tuple[str, str]]:
        yield from self._asking()
        if isinstance(self.choices, str):
            yield "choices", self.choices
        if not self.references_in(columns, judging=judging):
            yield "answer", self.answer


def from_file(path: Path, *, part: str = "") -> Template:
    """Read a template from a TOML file: the only one, or the one that stands there as `[templates.PART]`.

    Raises:
        TemplateError: the file is missing, no TOML, holds an unknown or wrong setting, or not that part.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        received = (error.strerror if isinstance(error, OSError) else None) or str(error)
        guess = None if path.is_file() else nearest(path.name, [entry.name for entry in path.parent.glob("*.toml")])
        hint = f"Did you mean '{guess}'?" if guess else None
        what = "the template cannot be read"
        raise TemplateError(what, where=path.name, expected="a TOML file", received=received, hint=hint) from None
    found = templates_in(content, name=path.stem, where=path.name)
    by_name = {path.name + template.name.removeprefix(path.stem): template for template in found}
    return one_of(by_name, f"{path.name}/{part}" if part else path.name)


def templates_in(content: Mapping[str, Any], *, name: str, where: str) -> tuple[Template, ...]:
    """Return the templates that a file holds: one, or one for each table in `templates`, called NAME/PART.

    What stands above the tables they share.

    Raises:
        TemplateError: one wrong setting, or `Problems` with several.
    """
    if "templates" not in content:
        return (from_settings({"name": name, **content}, where=where),)
    parts = content["templates"]
    if not (isinstance(parts, dict) and parts and all(isinstance(own, dict) for own in parts.values())):
        received = repr(parts)[:80]
        raise TemplateError(
            "wrong setting 'templates'", where=where, expected="tables, as [templates.title]", received=received
        )
    shared = {setting: value for setting, value in content.items() if setting != "templates"}
    return tuple(
        from_settings({"name": f"{name}/{part}", **shared, **own}, where=f"{where}, templates.{part}")
        for part, own in parts.items()
    )


def one_of(templates: Mapping[str, Template], name: str, *, hint: str | None = None) -> Template:
    """Return the template of that name.

    Raises:
        TemplateError: there is none, or there are several that begin with it, as NAME/PART.
    """
    if name in templates:
        return templates[name]
    if parts := [known for known in templates if known.startswith(f"{name}/")]:
        raise TemplateError(f"'{name}' holds several templates", expected=f"one of {', '.join(parts)}")
    raise TemplateError(unknown("template", name, templates), hint=hint)


def from_settings(content: Mapping[str, Any], *, where: str) -> Template:
    """Return the template that a TOML table describes.

    Raises:
        TemplateError: one wrong setting, or `Problems` with several.
    """
    try:
        template = Template.model_validate(content)
    except ValidationError as error:
        raise_together([_setting_problem(dict(detail), where=where) for detail in error.errors()])
        raise
    ids = [wording.id for wording in template.wordings]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise TemplateError(
            "two wordings of one id", where=where, expected="an id for each", received=f"'{twice}' twice"
        )
    return template


def _listed(what: str, expression: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts that an expression gives for a row."""
    found = sandbox.value(expression, row)
    if not isinstance(found, list | tuple):
        received = f"{type(found).__name__}: {str(found)[:60]!r}"
        raise TemplateError(f"the {what} are no list", expected="a list of answers", received=received)
    return tuple(str(answer).strip() for answer in found)


def _setting_problem(detail: Mapping[str, Any], *, where: str) -> TemplateError:
    place = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        known = (Wording if detail["loc"][0] == "wordings" else Template).model_fields
        return TemplateError(unknown("setting", str(detail["loc"][-1]), known), where=where)
    received = "nothing" if detail["type"] == "missing" else repr(detail["input"])[:80]
    return TemplateError(f"wrong setting '{place}'", where=where, expected=detail["msg"], received=received)


def _problems(text: str, known: Sequence[str], *, where: str, file: str) -> Iterator[TemplateError]:
    try:
        missing = sandbox.columns(text) - set(known)
    except TemplateError as error:
        where = f"{where}, {error.where}"
        yield TemplateError(error.what, where=where, expected=error.expected, received=error.received, hint=error.hint)
        return
    where = f"{file}, {where}" if file else where
    for name in sorted(missing):
        yield TemplateError(unknown("column", name, known), where=f"{where}, line {sandbox.line_of(text, name)}")
