"""A row becomes words: the wordings that ask, the answer, the choices, the references."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from afters.data import parted, sandbox
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


@lru_cache(maxsize=64)
def fault_of(choices: tuple[str, ...]) -> str | None:
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
    answer: str | None = None
    """What is taught when this wording asks, where that is not the template's `answer`."""
    choices: tuple[str, ...] | str | None = None
    """The closed set of answers to this wording, where it is not the template's; a wording with an `answer` of its own
    has no other."""
    inverted: bool = False
    """Whether this wording shows the usual answer and asks for the rest, as "Write a dialogue with this summary". It
    only teaches: what it shows plays no part in who teaches and who judges."""
    dialect: Literal["afters", "promptsource"] = "afters"
    """Whose Jinja2 it is: a promptsource text is question and answer in one (`parted.py`)."""
    metrics: tuple[str, ...] = ()
    """What suits this wording's answers, where that is not the template's."""
    choices_in_prompt: bool | None = None
    """Whether the question shows the choices, where its authors say so."""

    @model_validator(mode="after")
    def _own_choices(self) -> Wording:
        if self.dialect == "promptsource" and (self.answer or self.system or isinstance(self.choices, tuple)):
            raise ValueError("a promptsource text, with its answer behind ||| and choices that are one text, too")
        if self.dialect == "afters" and self.choices is not None:
            _list_or_expression(self.choices)
        return self

    @property
    def answers_itself(self) -> bool:
        """Whether the template's answer, choices and reference columns are not meant for this wording."""
        return self.answer is not None or self.dialect != "afters"


class Asked(NamedTuple):
    """What a wording makes of a row."""

    prompt: str
    system: str
    choices: tuple[str, ...]
    answer: str | None = None
    """What is taught, where question and answer are one text."""


class Template(BaseModel):
    """Turns a row into an instruction and its answer.

    Every text is Jinja2 over the row's columns, in the sandbox of `sandbox.py`. White space around a rendered text is
    taken off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """What messages and the library call it."""
    wordings: tuple[Wording, ...] = Field(min_length=1)
    """The ways to ask; the first one that is not inverted is asked when judging."""
    answer: str = Field("", validate_default=True)
    """What is taught, as `{{ summary }}`; only where every wording has an answer of its own there is none."""
    choices: Choices | None = None
    """The closed set of answers: a list, or an expression that gives one, as `{{ options }}`. A template may use it
    as `choices`: `{{ choices[label] }}`."""
    references: References = ()
    """Right answers that only judging rows may have: columns, each of one answer or a list of them, or an expression
    that gives a list, as `{{ answers.text }}`; without them the answer is the reference."""
    cut: str | None = None
    """The column that may be shortened when a prompt is too long."""
    turns: str | None = None
    """The column of what was said before the question: a list of pairs of `question` and `answer`, which stand before
    it as solved examples do."""
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
    notes: tuple[str, ...] = ()
    """What a person should know of the wordings, as which of an imported library were refused."""

    @field_validator("answer")
    @classmethod
    def _answers(cls, answer: str, told: ValidationInfo) -> str:
        wordings: tuple[Wording, ...] | None = told.data.get("wordings")
        if not answer and not (wordings and all(wording.answers_itself for wording in wordings)):
            raise ValueError("what is taught, as '{{ summary }}'")
        return answer

    def wording(self, name: str | None = None) -> Wording:
        """Return the wording that judging asks: that of the id, or the first one that is not inverted.

        Raises:
            TemplateError: there is none of that id, or none that may judge.
        """
        usual = [wording for wording in self.wordings if not wording.inverted]
        if name is None and usual:
            return usual[0]
        if name is None or (found := self.named(name)).inverted:
            what = f"the wording '{name}' is inverted" if name else "all wordings are inverted"
            where = f"template '{self.name}'"
            raise TemplateError(f"{what}: it can teach, but not judge", where=where, expected="the usual question")
        return found

    def named(self, name: str) -> Wording:
        """Return the wording of that id.

        Raises:
            TemplateError: there is none.
        """
        by_id = {wording.id: wording for wording in self.wordings}
        if name not in by_id:
            raise TemplateError(unknown("wording", name, by_id), where=f"template '{self.name}'")
        return by_id[name]

    def asked_columns(self) -> tuple[str, ...]:
        """Return the columns that any wording shows, sorted: what an Example's `content` is made of.

        Inverted wordings play no part: what they show is the answer.
        """
        usual = (wording for wording in self.wordings if not wording.inverted)
        shown = {column for wording in usual for column in self._shown(wording)}
        return tuple(sorted(shown | ({self.turns} if self.turns else set())))

    def used_columns(self) -> tuple[str, ...]:
        """Return every column that decides what an Example says, sorted; a row need not have all of them."""
        used = {column for wording in self.wordings for column in self._used(wording)}
        return tuple(sorted(used | {*self.reference_columns(), *([self.turns] if self.turns else [])}))

    def answer_columns(self, wording: Wording | None = None) -> tuple[str, ...]:
        """Return the columns that the answer to a wording is made of, sorted."""
        own = wording.answer if wording and wording.answer is not None else self.answer
        return tuple(sorted(self._columns_of([own], self.choices_for(wording))))

    def reference_columns(self) -> tuple[str, ...]:
        """Return the columns that the references are made of."""
        return tuple(sorted(sandbox.columns(self.references))) if isinstance(self.references, str) else self.references

    def ask(self, wording: Wording, row: Mapping[str, Any], *, seed: int = 0) -> Asked:
        """Return what is asked of the row; `seed` decides where a wording of another library draws by chance.

        Raises:
            InputError: the wording cannot ask this row.
        """
        if wording.dialect == "promptsource":
            parts = parted.render(wording.prompt, row, choices=_text_or_none(wording.choices), seed=seed)
            return Asked(parts.question, "", () if wording.inverted else parts.choices, parts.answer)
        offered = self.choices_of(row, wording)
        context = row if self.choices_for(wording) is None else {**row, "choices": offered}
        system = sandbox.render(wording.system, context) if wording.system else ""
        return Asked(sandbox.render(wording.prompt, context), system, offered)

    def answer_of(
        self, row: Mapping[str, Any], wording: Wording | None = None, *, choices: tuple[str, ...] | None = None
    ) -> str:
        """Return what is taught of the row when a wording asks that has its answer apart.

        `choices` are the row's, where they are known already.
        """
        context = row
        if self.choices_for(wording) is not None:
            context = {**row, "choices": self.choices_of(row, wording) if choices is None else choices}
        return sandbox.render(self.answer if wording is None or wording.answer is None else wording.answer, context)

    def choices_of(self, row: Mapping[str, Any], wording: Wording | None = None) -> tuple[str, ...]:
        """Return the row's closed set of answers; none when there is no such set."""
        offered = self.choices_for(wording)
        return _listed("choices", offered, row) if isinstance(offered, str) else offered or ()

    def references_of(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the right answers that the row's reference columns hold, one or a list each; empty ones are none."""
        if isinstance(self.references, str):
            found = _listed("references", self.references, row)
        else:
            found = tuple(as_text(item).strip() for name in self.references for item in _items(row[name]))
        return tuple(text for text in found if text)

    def choices_for(self, wording: Wording | None) -> tuple[str, ...] | str | None:
        """Return the closed set of answers to a wording, as the template writes it."""
        if wording is None or (wording.choices is None and not wording.answers_itself):
            return self.choices
        return wording.choices

    def check(self, columns: Sequence[str], *, judging: bool, file: str = "") -> None:
        """Check every text of the template, and that the columns it names are there.

        With `judging`, rows that have all the reference columns need not have the answer's.

        Raises:
            TemplateError: one problem, or `Problems` with several.
        """
        problems: list[InputError] = []
        seen: set[str] = set()
        place = f"template '{self.name}'"
        for text in self._texts(columns, judging=judging):
            known = list(columns) if text.choices is None else [*columns, "choices"]
            for problem in _problems(text, known, where=f"{place}, {text.part}", file=file):
                if (
                    problem.received or problem.what not in seen
                ):  # eight wordings that name one wrong column: one mistake
                    seen.add(problem.what)
                    problems.append(problem)
        place = f"{file}, {place}" if file else place
        named = [*self.references_in(columns, judging=judging), *filter(None, [self.cut, self.turns])]
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
        parts = {"answer", "choices", "references", "cut"}
        parts |= {"objective"} if self.objective != "answer" else set()
        parts |= {"turns"} if self.turns else set()
        wordings = [
            wording.model_dump(mode="json", exclude={"metrics", "choices_in_prompt"}) for wording in self.wordings
        ]
        # What most wordings do not say is left out: templates keep the fingerprint that they had without it.
        plain = {"answer": None, "choices": None, "inverted": False, "dialect": "afters"}
        said = [{name: value for name, value in one.items() if plain.get(name, ...) != value} for one in wordings]
        return json.dumps({**self.model_dump(mode="json", include=parts), "wordings": said}, sort_keys=True)

    def _shown(self, wording: Wording) -> set[str]:
        if wording.dialect == "promptsource":
            return set(parted.shown(wording.prompt, choices=_text_or_none(wording.choices)))
        return self._columns_of([wording.prompt, wording.system], self.choices_for(wording))

    def _used(self, wording: Wording) -> set[str]:
        if wording.dialect == "promptsource":
            return set(parted.columns(wording.prompt, choices=_text_or_none(wording.choices)))
        offered = self.choices_for(wording)
        return self._shown(wording) | _choice_columns(offered) | set(self.answer_columns(wording))

    def _columns_of(self, texts: Iterable[str], offered: tuple[str, ...] | str | None) -> set[str]:
        columns = {column for text in texts for column in sandbox.columns(text)}
        if offered is not None and "choices" in columns:
            return (columns - {"choices"}) | _choice_columns(offered)
        return columns

    def _texts(self, columns: Sequence[str], *, judging: bool) -> Iterator[_Text]:
        """Yield every text that such rows may meet; an inverted wording meets teaching rows only."""
        answered = not self.references_in(columns, judging=judging)
        for wording in self.wordings:
            if not (wording.inverted and judging):
                yield from self._texts_of(wording, answered=answered)
        if isinstance(self.choices, str):
            yield _Text("choices", self.choices)
        if answered:
            yield _Text("answer", self.answer, self.choices)

    def _texts_of(self, wording: Wording, *, answered: bool) -> Iterator[_Text]:
        part, offered = f"wording '{wording.id}'", self.choices_for(wording)
        if wording.dialect == "promptsource":
            yield _Text(part, wording.prompt, dialect="promptsource")
            yield _Text(f"choices of {part}", _text_or_none(wording.choices) or "", dialect="promptsource")
            return
        yield _Text(part, wording.prompt, offered)
        yield _Text(f"system part of {part}", wording.system, offered)
        if isinstance(wording.choices, str):
            yield _Text(f"choices of {part}", wording.choices)
        if answered and wording.answer is not None:
            yield _Text(f"answer of {part}", wording.answer, offered)


class _Text(NamedTuple):
    """A text of a template, as it is checked."""

    part: str
    text: str
    choices: tuple[str, ...] | str | None = None
    """What the text may use as its choices; None: there are none."""
    dialect: Literal["afters", "promptsource"] = "afters"

    def columns(self) -> frozenset[str]:
        """Return the columns that a row must have."""
        if self.dialect == "promptsource":
            parted.columns(self.text)
            return parted.needed(self.text)
        return sandbox.columns(self.text)

    def line_of(self, name: str) -> int:
        return sandbox.line_of(self.text, name, dialect="strict" if self.dialect == "afters" else "lenient")


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _text_or_none(choices: tuple[str, ...] | str | None) -> str | None:
    return choices if isinstance(choices, str) else None


def _choice_columns(offered: tuple[str, ...] | str | None) -> frozenset[str]:
    return sandbox.columns(offered) if isinstance(offered, str) else frozenset()


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


def _problems(text: _Text, known: Sequence[str], *, where: str, file: str) -> Iterator[TemplateError]:
    try:
        missing = text.columns() - set(known)
    except TemplateError as error:
        where = f"{where}, {error.where}"
        yield TemplateError(error.what, where=where, expected=error.expected, received=error.received, hint=error.hint)
        return
    where = f"{file}, {where}" if file else where
    for name in sorted(missing):
        yield TemplateError(unknown("column", name, known), where=f"{where}, line {text.line_of(name)}")
