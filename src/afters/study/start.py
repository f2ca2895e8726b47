"""Where a study starts: a model with weights; or a configuration, which gets random ones and may learn a tokenizer."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from afters.data.tables import Tables
from afters.errors import DataError, InputError, SettingsError, collected, raise_together
from afters.model import files
from afters.model.address import is_address
from afters.report.numbers import count
from afters.runfolder import RunFolder
from afters.seeds import number
from afters.study.reading import read_kept, read_tasks
from afters.study.settings import ModelSettings, Study
from afters.study.work import TaskAtHand

if TYPE_CHECKING:
    from afters.model.prompt import Prompter
    from afters.model.scratch import Blueprint


class Started(NamedTuple):
    """Rows and base, checked as far as that goes without weights."""

    tasks: list[TaskAtHand]
    kept: list[TaskAtHand]
    """What must not be lost."""
    base: Path
    """The base model's folder; from scratch, the draft of one, without weights."""
    prompter: Prompter
    from_scratch: bool


def start(study: Study, *, files_in: Path, strict: bool, draft: Path, tables: Tables | None = None) -> Started:
    """Read the rows and find the base; of a configuration, write a draft without weights into `draft`.

    Raises:
        InputError: something in the rows, the base or the settings cannot be used; all problems are told together.
    """
    from afters.study.teaching import check_fit

    problems: list[InputError] = []
    tasks: list[TaskAtHand] = []
    kept: list[TaskAtHand] = []
    base, plan, prompter = None, None, None
    with collected(problems):
        plan = _plan(study.model, files_in=files_in)
        if plan is None:
            base = files.find(study.model.base, relative_to=files_in)
            prompter = prompter_for(base, study)
            check_fit(base, study)
    with collected(problems):
        _refuse_only_judged(study)
    with collected(problems):
        tasks = read_tasks(study, folder=files_in, strict=strict, tables=tables)
    with collected(problems):
        # Random weights know nothing that could be lost.
        if plan is None or study.keep.names_something:
            kept = read_kept(study, folder=files_in, strict=strict, tables=tables)
    for task in (*tasks, *kept):
        with collected(problems):
            _refuse_one_content(task)
    raise_together(problems)
    if plan is not None:
        _write(plan, study.model, tasks, folder=draft)
        base, prompter = draft, prompter_for(draft, study)
        check_fit(base, study)
    assert base is not None and prompter is not None
    return Started(tasks, kept, base, prompter, plan is not None)


def _refuse_only_judged(study: Study) -> None:
    """Refuse tasks without rows to teach, which `afters evaluate` takes."""
    if judged := [task.name for task in study.tasks if not task.teaches]:
        more = f" and {len(judged) - 1:,} more" if len(judged) > 1 else ""
        raise SettingsError(
            "there is nothing to teach: the task names judging rows alone",
            where=f"[[task]] {judged[0]}{more}",
            expected="`train` beside `test`, or one `source` to be split",
            hint="Such rows can be asked of any model, before and after: `afters evaluate MODEL STUDY.toml`, then "
            "`afters compare` the two.",
        )


def _refuse_one_content(task: TaskAtHand) -> None:
    """Refuse judging rows that all say the same: nothing can be told apart from chance by one of them."""
    if len({example.cluster for example in task.test}) < 2:
        raise DataError(
            "the judging rows all say the same",
            where=f"[[task]] {task.name}",
            expected="rows of two different contents at least",
            received=count(len(task.test), "row"),
            hint="Give more rows to judge; a model's answers alone can be had by `afters evaluate`.",
        )


def check_shards(study: Study, *, processes: int) -> None:
    """Refuse to share out a model among one process, or one that cannot be cut.

    Raises:
        SettingsError: told before anything is read.
    """
    where, without = "--shard", "Run it without --shard."
    if processes == 1:
        raise SettingsError(
            "one process has nobody to share the model with",
            where=where,
            expected="several, which torchrun starts",
            hint="torchrun --nproc-per-node 8 -m afters run STUDY.toml --shard; or without --shard.",
        )
    if study.model.quantised:
        raise SettingsError("a base in 4 bits cannot be cut into shards", where=where, hint=without)


def begin(study: Study, draft: Path, *, folder: RunFolder) -> Path:
    """Give the draft of a model its weights, drawn from the study's seed, and return where it lies in the run folder.

    Raises:
        RunFolderError: the run in this folder began with another configuration, tokenizer or seed.
    """
    from afters.model import scratch

    made_of = {
        "configuration": hashlib.sha256((draft / "config.json").read_bytes()).hexdigest()[:16],
        "tokenizer": files.tokenizer_hash(draft),
        "seed": str(study.seed),
    }
    folder.claim("start", made_of)
    place = folder.path / "start" / "model"
    if not place.is_dir():
        scratch.draw(draft, seed=number(study.seed, "start"))
        beside = folder.path / "start" / ".draft"
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(draft, beside)
        beside.rename(place)
    return place


def _plan(settings: ModelSettings, *, files_in: Path) -> Blueprint | None:
    """Return the configuration that `base` names, checked; None where it names a model with weights."""
    if is_address(settings.base):
        raise SettingsError(
            "a model behind a server can be asked, and not taught",
            where="[model] base",
            expected="a model to load: the embedded one, a folder, or a hub name",
            received="an address",
            hint="Ask it the same rows with `afters evaluate ADDRESS STUDY.toml`, then `afters compare` the two.",
        )
    path = files.configuration(settings.base, relative_to=files_in)
    if path is None:
        if settings.tokenizer is not None:
            hint = "Leave [model.tokenizer] out, or name a configuration without weights."
            raise SettingsError("a model with weights has its tokenizer", where="[model.tokenizer]", hint=hint)
        return None
    from afters.model import scratch

    plan = scratch.blueprint(path)
    if plan.brings_tokenizer == (settings.tokenizer is not None):
        raise SettingsError(
            "two tokenizers, one beside the configuration and one to be learnt"
            if plan.brings_tokenizer
            else f"no tokenizer for a model that starts from {path.name}",
            where="[model.tokenizer]",
            hint="Leave it out to use the files beside the configuration."
            if plan.brings_tokenizer
            else "Set [model.tokenizer] vocabulary to learn one, or put a tokenizer's files beside config.json.",
        )
    return plan


def _write(plan: Blueprint, settings: ModelSettings, tasks: Iterable[TaskAtHand], *, folder: Path) -> None:
    from afters.model import scratch, vocabulary

    learnt = None
    if settings.tokenizer is not None:
        size = settings.tokenizer.vocabulary
        learnt = vocabulary.learn(_texts(tasks), size=size, encoder_decoder=plan.encoder_decoder)
    scratch.write(plan, folder, tokenizer=learnt)


def _texts(tasks: Iterable[TaskAtHand]) -> Iterator[str]:
    """Yield what the teaching rows say, each text once in a row."""
    for task in tasks:
        for example in task.train:
            yield from dict.fromkeys([example.system, example.prompt, example.references[0]])


def prompter_for(base: Path, study: Study) -> Prompter:
    """Return what encodes prompts for the model in `base`, within what the study leaves it."""
    from afters.model.load import prompter_of

    return prompter_of(
        base,
        max_prompt_tokens=study.model.max_prompt_tokens,
        max_new_tokens=study.judge.max_new_tokens,
        virtual_tokens=study.train.virtual_tokens,
    )
