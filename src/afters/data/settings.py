"""What a study says of a task, checked as far as that goes without its rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from afters.data import natural_instructions
from afters.data.flan import from_flan
from afters.data.library import from_library, library
from afters.data.promptsource import from_promptsource, is_promptsource
from afters.data.split import Side
from afters.data.template import Choices, References, Template, Wording, from_file, from_settings
from afters.errors import TemplateError
from afters.records import Objective

TooLong = Literal["error", "drop", "cut"]


class Fractions(BaseModel):
    """How much of one file each side gets."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    train: float = Field(0.8, gt=0, lt=1)
    """The share of rows that teach."""
    validation: float = Field(0.1, gt=0, lt=1)
    """The share on which choices are made, as how many shots are best."""
    test: float = Field(0.1, gt=0, lt=1)
    """The share that judges."""

    @model_validator(mode="after")
    def _whole(self) -> Fractions:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the three fractions add up to {total:g}, not to 1")
        return self

    def by_side(self) -> Mapping[Side, float]:
        """Return the fraction of each side."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def kept_back(self) -> Mapping[Side, float]:
        """Return the fractions when the test side has a file of its own."""
        both = self.train + self.validation
        return {"train": self.train / both, "validation": self.validation / both, "test": 0.0}


class TaskSettings(BaseModel):
    """One task of a study: where its rows are, how they are asked, how the answers are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(min_length=1)
    """What the report calls the task."""
    train: str | None = Field(None, min_length=1)
    """The teaching rows: a file (CSV, JSON, JSON lines, Parquet, Arrow) or a folder that `datasets` saved, counted from
    the study's folder; or "hub:OWNER/NAME#SUBSET:SPLIT", "sql:SELECT …", "table:NAME", given from Python, or
    "demo:train"."""
    validation: str | None = Field(None, min_length=1)
    """The file on which choices are made; without it, a share of the teaching rows is kept back for that."""
    test: str | None = Field(None, min_length=1)
    """The file of judging rows. Alone, without `train`, the task is judged and never taught: by `afters evaluate`."""
    source: str | None = Field(None, min_length=1)
    """One file of rows for all three sides, instead of `train`, `validation` and `test`."""
    split_column: str | None = None
    """The column of `source` that names each row's side: train, validation or test."""
    fractions: Fractions = Fractions()
    """How much of `source` each side gets, where no column says so."""
    template: str | None = None
    """A template of the library, or the path of a TOML file; of a file with several, as "mine.toml/title". Or one of
    another library: a folder that holds promptsource's `templates.yaml`, or FLAN's patterns of a task, as
    `patterns.jsonl#rte`."""
    fields: Mapping[str, str] = Field(default_factory=dict)
    """For a template of FLAN's: what its patterns call a column, and the column, or an expression over the columns, as
    `{ premise = "sentence1", options = "['no', 'yes']" }`."""
    wordings: tuple[str, ...] = ()
    """The ways to ask, in Jinja2 over the columns; instead of a template, or instead of its own wordings."""
    objective: Objective = "answer"
    """What is taught: an answer; or, of a `text` that nobody has asked anything about, what stood in its holes
    ("span_corruption", for models with an encoder) or how it goes on ("continuation")."""
    text: str | None = None
    """The column of texts for an `objective` without answers; no template, wordings or answer then."""
    answer: str | None = None
    """What is taught, as `{{ summary }}`."""
    choices: Choices | None = None
    """The closed set of answers: a list, or an expression that gives one, as `{{ options }}`."""
    references: References = ()
    """Right answers that only the judging side may have: columns, or an expression that gives a list, as
    `{{ answers.text }}`; without them the answer is the reference."""
    best_reference: bool = False
    """Of ROUGE: score against the reference that fits best, instead of the mean over all of them. Other metrics have a
    rule of their own: `exact_match`, `f1` and `chrf` take the one that fits best, `pyrouge` and `bleu` all together."""
    stem: bool = True
    """Let ROUGE compare words by their stems, as published numbers do; they are stems of English."""
    words: Literal["ascii", "unicode"] = "ascii"
    """What ROUGE takes for words: ASCII letters and digits, as published numbers do, or those of every script."""
    positive: str | None = None
    """The choice that `binary_f1` and `multirc` look for; the second of two when not given."""
    metrics: tuple[str, ...] = ()
    """What the answers are scored with; the template's suggestion when empty."""
    primary: str | None = None
    """The score that decides, as `rouge1`. When not given, the template's, where its metrics are taken (no `metrics`
    here, and none of the judged wording's own); else the first of the first metric."""
    smallest_effect: float = Field(0.0, ge=0, allow_inf_nan=False)
    """The smallest difference in the primary score that matters."""
    cut: str | None = None
    """The column that may be shortened when a prompt is too long for the model."""
    too_long: TooLong = "cut"
    """What to do with a row that is longer than the model reads or writes: "cut" shortens the column that `cut` names
    and refuses what that does not mend; "drop" sets a teaching row aside; "error" refuses it. A judged row is never
    left out."""
    judge_wording: str | None = None
    """The id of the wording that judging asks; the first one when left out. Wordings given here are called 1, 2, …"""
    judge_all_wordings: bool = False
    """Judge in the other wordings too, before and after and without solved examples, for as many times the asking: each
    has its own score, and the spread among them is shown. The verdict stays with the wording that judging asks."""
    train_limit: int | None = Field(None, ge=1)
    """Teach with at most so many rows, chosen by chance."""
    validation_limit: int | None = Field(None, ge=1)
    """Validate on at most so many rows, chosen by chance."""
    test_limit: int | None = Field(None, ge=1)
    """Judge at most so many rows, chosen by chance."""
    rate: float | None = Field(None, gt=0)
    """In a mixture: its share of the rows taught, beside the other tasks' rates."""
    rows: int | None = Field(None, ge=1)
    """In a mixture: how many of its rows each pass takes; a task with fewer has some of them twice."""
    part: str | None = None
    """In a mixture of a published kind: the part that the task belongs to."""

    @model_validator(mode="after")
    def _rows_are_named_once(self) -> TaskSettings:
        if self.source is not None and (self.train or self.validation or self.test):
            raise ValueError("give either `source`, or `train` and `test`; not both")
        if self.source is None and not self.test:
            raise ValueError("give the files `train` and `test`, or one `source` to be split")
        if self.validation is not None and self.train is None:
            raise ValueError("`validation` is what is chosen on while `train` is taught, and that is not given")
        if self.train is not None and self.train == self.test:
            raise ValueError("`train` and `test` are one file; give it as `source`, to be split")
        if self.split_column is not None and self.source is None:
            raise ValueError("`split_column` is a column of `source`, which is not given")
        return self

    @model_validator(mode="after")
    def _asks_something(self) -> TaskSettings:
        if self.objective != "answer":
            return self._has_a_text_alone()
        if self.text is not None:
            raise ValueError('`text` needs an `objective`: "span_corruption" or "continuation"')
        if self.fields and self.template is None:
            raise ValueError("`fields` are for a `template` of FLAN's")
        if self.template is None and not (self.wordings and self.answer):
            raise ValueError("give a `template`, or `wordings` and an `answer`")
        return self

    def _has_a_text_alone(self) -> TaskSettings:
        if self.text is None or not self.text.isidentifier():
            raise ValueError(f"the objective {self.objective} needs `text`, the name of a column of texts")
        asks = ("template", "wordings", "answer", "choices", "references", "cut", "judge_wording", "judge_all_wordings")
        if given := [name for name in asks if getattr(self, name)]:
            raise ValueError(f"the objective {self.objective} asks nothing, so it takes no `{given[0]}`")
        return self

    @property
    def teaches(self) -> bool:
        """Whether it names rows to teach; without them it can only be judged."""
        return self.source is not None or self.train is not None

    def files(self) -> Mapping[str, str]:
        """Return the files that are named, by what they are named for."""
        named = {"train": self.train, "validation": self.validation, "test": self.test, "source": self.source}
        return {part: file for part, file in named.items() if file}

    def limit_of(self, side: Side) -> int | None:
        """Return how many rows of a side are used at most."""
        return {"train": self.train_limit, "validation": self.validation_limit, "test": self.test_limit}[side]


def template_of(settings: TaskSettings, *, folder: Path) -> Template:
    """Return the task's template: from the library, a file, or the settings, which override the first two.

    Raises:
        TemplateError: there is no such template, or it is wrong.
    """
    if settings.text is not None:
        return _of_text(settings.name, settings.text, settings.objective)
    base: dict[str, Any] = {"name": settings.name}
    if settings.template is not None:
        named = template_named(settings.template, folder=folder, fields=settings.fields)
        if settings.template == natural_instructions.NAME:
            named = natural_instructions.fitted(named, folder / (settings.source or settings.test or ""))
        base = named.model_dump()
    own = settings.model_dump(include={"answer", "choices", "references", "cut"}, exclude_none=True)
    own["wordings"] = [{"id": str(number), "prompt": text} for number, text in enumerate(settings.wordings, 1)]
    own = {name: value for name, value in own.items() if value}
    template = from_settings({**base, **own}, where=f"task '{settings.name}'")
    judged = template.wording(settings.judge_wording)
    vain = [name for name in ("answer", "choices", "references") if name in own and judged.answers_itself]
    if vain:
        what = f"`{vain[0]}` changes nothing: the wording '{judged.id}' has an answer of its own"
        raise TemplateError(what, where=f"task '{settings.name}'", hint=f"Leave out `{vain[0]}`, or give `wordings`.")
    return template


def template_named(name: str, *, folder: Path, fields: Mapping[str, str] | None = None) -> Template:
    """Return the template of that name: of the library, of a TOML file, or of another library's files.

    "mine.toml/title" is one of several in a TOML file; `fields` are those of FLAN's patterns (`TaskSettings.fields`).

    Raises:
        TemplateError: there is no such template, or it is wrong.
    """
    path, _, part = name.partition("#")
    if part:
        return from_flan(folder / path, task=part, given=fields)
    if fields:
        raise TemplateError("`fields` are for FLAN's patterns", where=f"template '{name}'", expected="FILE#TASK")
    file, ending, part = name.rpartition(".toml")
    if ending and part[:1] in ("", "/"):
        return from_file(folder / (file + ending), part=part[1:])
    if is_promptsource(folder / name) or (name not in library() and (folder / name).is_dir()):
        return from_promptsource(folder / name)
    return from_library(name)


def _of_text(name: str, column: str, objective: Objective) -> Template:
    """Return the template of a text: it is prompt and answer at once, and which part is which the objective says."""
    return Template(
        name=name,
        wordings=(Wording(id="text", prompt=f"{{{{ {column} }}}}"),),
        answer=f"{{{{ {column} }}}}",
        choices=f"{{{{ [{column}] }}}}",
        cut=column,
        metrics=("perplexity",),
        objective=objective,
    )
