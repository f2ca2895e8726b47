"""What can go wrong, as a tree, and `unknown`, which names the nearest right thing.

AftersError                a fault told in one message
└── InputError             what the user gave cannot be used; the command line ends with 2
    ├── SettingsError      a study, a setting, a verb, a name
    ├── DataError          a file of rows: where it is broken, to the row and column
    ├── TemplateError      a prompt template: where it is broken, or the column it misses
    ├── ModelError         a model, a tokenizer, an adapter, a checkpoint
    ├── ComparisonRefused  two results that must not be compared, and why
    ├── RunFolderError     a run folder that is not one, or belongs to other settings
    └── Problems           several of these, told together
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class AftersError(Exception):
    """A fault that Afters tells in one message."""


class InputError(AftersError):
    """Something the user gave cannot be used.

    The message is built from its parts, so that none is forgotten: `where` (file:row:column), `what`
    is wrong, what was `expected`, what was `received`, and the next step (`hint`).
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        received: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.received = received
        self.hint = hint
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.expected:
            parts.append(f"expected: {self.expected}")
        if self.received:
            parts.append(f"received: {self.received}")
        if self.hint:
            parts.append(self.hint)
        return "\n  ".join(parts)


class SettingsError(InputError):
    """A study, a setting, a verb or a name that is not known or not allowed."""


class DataError(InputError):
    """A file of rows that cannot be read or used."""


class TemplateError(InputError):
    """A prompt template that is broken, unsafe, or asks for a column that is not there."""


class ModelError(InputError):
    """A model, tokenizer, adapter or checkpoint that cannot be loaded or trusted."""


class ComparisonRefused(InputError):
    """Two results that do not answer the same question."""


class RunFolderError(InputError):
    """A folder that is no run, or a run of other settings."""


class Problems(InputError):
    """Several problems, told together."""

    def __init__(self, problems: Sequence[InputError]) -> None:
        self.problems = tuple(problems)
        head = f"{len(self.problems)} problems" if len(self.problems) > 1 else "1 problem"
        super().__init__(f"{head}:\n" + "\n".join(f"- {problem}" for problem in self.problems))


@contextmanager
def collected(problems: list[InputError]) -> Iterator[None]:
    """Within this context an InputError is added to `problems` and what is left of the block is skipped."""
    try:
        yield
    except InputError as problem:
        problems.append(problem)


def raise_together(problems: Sequence[InputError]) -> None:
    """Raise nothing, the one problem, or all of them as `Problems`."""
    flat = [one for problem in problems for one in (problem.problems if isinstance(problem, Problems) else [problem])]
    if len(flat) == 1:
        raise flat[0]
    if flat:
        raise Problems(flat)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like `name`, or None when none comes near."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[found[0]] if found else None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that `name` is not a known `kind`, with the nearest one and the choice there is.

    >>> unknown("metric", "rogue1", ["rouge1", "bleu"])
    "unknown metric 'rogue1'; did you mean 'rouge1'? (known: bleu, rouge1)"
    """
    names = sorted(known)
    guess = nearest(name, names)
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    question = f"; did you mean '{guess}'?" if guess else ""
    return f"unknown {kind} '{name}'{question} (known: {shown or 'none'})"
