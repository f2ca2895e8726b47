"""What the base says to the new task's prompts, weighed by base and tuned model alike: how far tuning has moved it.

Forward KL from the base, by what the base itself draws: the mean of log p(base) - log p(tuned) over its answers. It was
found to foretell what is lost elsewhere (Shenfeld et al., "RL's Razor", 2025, arXiv:2509.04259).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from afters.data.settings import TaskSettings
from afters.data.tables import PREFIX
from afters.records import Decoding, Result
from afters.runfolder import DRAWN, SAID
from afters.seeds import number
from afters.study.asking import AskedLater, ask_once
from afters.study.fitting import fit
from afters.study.reading import read_task
from afters.study.work import TaskAtHand, Work

ROWS: Final = 100
"""Prompts that are answered: as many as the paper needed."""

ASKED: Final = "asked"
"""The name of the prompts and their answers, as of a table."""


def draw(work: Work, base: AskedLater) -> TaskAtHand | None:
    """Return what the base answered by chance to prompts of the first task, as a task that weighs these answers.

    None where that cannot be: a text without a question, choices, a conversation, a system message before it, or
    several processes, each of which would have to know what was said.
    """
    task, seed = work.tasks[0], work.study.seed
    rows = task.test.take(ROWS, seed=seed)
    examples = list(rows)
    if not task.asks or work.processes.count > 1 or any(one.choices or one.system or one.turns for one in examples):
        return None
    longest = work.study.judge.max_new_tokens
    decoding = Decoding(max_new_tokens=longest, method="sample", seed=number(seed, SAID))
    drawn = ask_once(
        *(base(), rows, replace(task, decoding=decoding)),
        label=DRAWN,
        seed=seed,
        folder=work.folder,
        tell=work.tell,
    )
    answers = {case.id: case.predictions[0].answers[0] for case in drawn.cases}
    said = [{"asked": one.prompt, "said": answers[one.id]} for one in examples if answers.get(one.id, "").strip()]
    if not said:
        return None
    settings = TaskSettings(
        name=SAID,
        test=f"{PREFIX}{ASKED}",
        wordings=("{{ asked }}",),
        answer="{{ said }}",
        choices="{{ [said] }}",
        cut="asked",
        metrics=("bits_per_byte",),
    )
    made = read_task(work.study, settings, folder=work.folder.path, strict=False, tables={ASKED: said})
    fit([made], work.prompter, work.study)
    return made


def weigh(work: Work, said: TaskAtHand, model: AskedLater, *, label: str) -> Result:
    """Ask a model how probable it finds what the base said."""
    return ask_once(*(model(), said.test, said), label=label, seed=work.study.seed, folder=work.folder, tell=work.tell)
