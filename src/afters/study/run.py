"""The whole order. Each stage takes from the run folder what stands there already.

So a study that is run again goes on where it was interrupted, and a finished one asks and teaches nothing.
"""

from __future__ import annotations

import functools
import platform
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import tomli_w

from afters.compare.every_wording import in_wordings
from afters.compare.forgetting import divergence
from afters.compare.wordings import Wordings
from afters.data.tables import Tables
from afters.errors import AftersError
from afters.evaluate import ask
from afters.metrics.choices import guessing
from afters.model import cache, files
from afters.records import Result
from afters.report.document import build
from afters.report.export import model_card, verdict_json
from afters.report.numbers import count
from afters.report.page import render
from afters.report.told import Besides, Told
from afters.runfolder import RunFolder
from afters.study.asking import (
    Errand,
    Worded,
    ask_after,
    ask_before,
    ask_in_other_wordings,
    ask_kept,
    ask_with_fewer_rows,
    base_model,
    rows_of,
    tuned_model,
)
from afters.study.comparing import Compared, compare_tasks
from afters.study.declaring import declare, declared_too_late
from afters.study.fewer_rows import along_rows, announced, smaller
from afters.study.fitting import encode, fit_kept
from afters.study.mending import held_against_margins, make, mend, other
from afters.study.retaught import retaught
from afters.study.said import draw, weigh
from afters.study.settings import Study
from afters.study.staging import ask_stages, check_stages, stages_of
from afters.study.start import begin, check_shards, start
from afters.study.work import Silent, TaskAtHand, Teller, Work

if TYPE_CHECKING:
    from afters.model.parallel import Processes
    from afters.model.protocol import LanguageModel

FORGETTING = "Forgetting: whether the tuned model lost what the base could do on other tasks."
FORGETTING_ELSEWHERE = "Forgetting of anything that was not asked: other tasks, other wordings, other languages."

NOT_MEASURED = (
    "Contamination: whether judged rows stood in what the base was pre-trained on. Only each task's own teaching rows "
    "were held against its own judged rows, for equal content.",
    "Other seeds: the verdict speaks of this one tuned model, not of the recipe that made it.",
)


def run(
    study: Study,
    *,
    out: Path | str,
    folder: Path | str = ".",
    tables: Tables | None = None,
    strict: bool = False,
    tell: Teller | None = None,
    shard: bool = False,
) -> Told:
    """Ask, teach, ask again, compare, and write everything into `out`.

    Args:
        study: what to do.
        out: the run folder; a run of the same study found there is gone on with.
        folder: what relative file names in the study are relative to.
        tables: the rows that the study names as "table:NAME", by name: a pandas or polars DataFrame, a pyarrow Table,
            or a list of dicts.
        strict: stop at the first row that cannot be used, instead of setting it aside.
        tell: who is told how it goes; nobody, when not given.
        shard: of several processes, let each hold a share of weights, gradients and moments while it teaches.

    Raises:
        InputError: something in the study, the data or the model cannot be used; told before any model is loaded.
    """
    from afters.model.parallel import join

    processes = join()
    if not processes.first:
        raise AftersError(f"this is process {processes.rank} of a run: it has to follow the first, by `follow`")
    work = _open(
        *(study, RunFolder(Path(out)), processes),
        files_in=Path(folder),
        tables=tables,
        strict=strict,
        tell=tell or Silent(),
        shard=shard,
    )
    fewer = smaller(work)
    # A folder of another run is refused before anything is asked. The run's own is claimed first: others lie within.
    _claim(stages_of(work)[::-1] or (work, *fewer))
    others = retaught(work, functools.cache(functools.partial(base_model, work)))
    _claim(others)
    _write_down(work)
    base_hash = files.weights_hash(work.base)
    every, before = _ask_base(work)
    from afters.study.teaching import teach, training_key

    for part in stages_of(work) or (work, *fewer, *others):
        if study.stages:  # what it starts from stands only now
            part.folder.claim("train", training_key(part))
        teach(part)
    if files.weights_hash(work.base) != base_hash:
        raise AftersError("the base model's files changed while the study ran: its 'before' is not to be trusted")
    make(work)
    after = _ask_tuned(work, before.said)
    told = _write_up(work, compare_tasks(work, every, after.judged), _besides(work, before, after, fewer))
    processes.told({"end": True})
    processes.leave()
    return told


class Asked(NamedTuple):
    """What one model answered in the end, zero-shot; each by task."""

    judged: Mapping[str, Result]
    worded: Mapping[str, Worded]
    """In the other wordings."""
    kept: Mapping[str, Result]
    """What must not be lost."""
    said: TaskAtHand | None
    """What the base drew on the first task's prompts."""
    weighed: Result | None
    """How probable that is."""


def _ask_base(work: Work) -> tuple[dict[str, dict[str, Result]], Asked]:
    """Return all that the base was asked, by task and label, and of that what the tuned model is asked too."""
    base = functools.cache(lambda: base_model(work))
    every = {task.name: ask_before(work, task, base) for task in work.tasks}
    kept = ask_kept(work, base, "base")
    said = draw(work, base) if work.kept else None
    weighed = weigh(work, said, base, label="before") if said else None
    worded = {task.name: ask_in_other_wordings(work, task, base, "base") for task in work.tasks}
    judged = {name: labels["before"] for name, labels in every.items()}
    return every, Asked(judged, worded, kept, said, weighed)


def _ask_tuned(work: Work, said: TaskAtHand | None) -> Asked:
    tuned = functools.cache(lambda: tuned_model(work))
    judged = {task.name: ask_after(work, task, tuned) for task in work.tasks}
    kept = ask_kept(work, tuned, "tuned")
    weighed = weigh(work, said, tuned, label="after") if said else None
    worded = {task.name: ask_in_other_wordings(work, task, tuned, "tuned") for task in work.tasks}
    return Asked(judged, worded, kept, said, weighed)


def _besides(work: Work, before: Asked, after: Asked, fewer: Sequence[Work]) -> Besides:
    """Ask the models that are not the run's own, and compare all that is told beside the scores."""
    study, first = work.study, work.tasks[0]
    wordings = tuple(
        _across(
            task,
            {task.decides: before.judged[task.name], **before.worded[task.name]},
            {task.decides: after.judged[task.name], **after.worded[task.name]},
            seed=study.seed,
        )
        for task in work.tasks
        if task.other_wordings.asked
    )
    at_rows = {0: before.judged, work.rows: after.judged} | {part.rows: _ask_part(work, part) for part in fewer}
    rows = tuple(along_rows(work, task, fewer, at_rows) for task in work.tasks if study.train.rows)
    sides = [one.weighed or one.judged[first.name] for one in (before, after)]
    # A text that was only weighed, and not said by the base, tells nothing of how the base answers.
    comparable = before.weighed is not None or guessing(before.judged[first.name]) is not None
    return Besides(
        wordings=wordings,
        rows=rows,
        kept=held_against_margins(work, before.kept, after.kept),
        cures=mend(work, before.judged[first.name], after.judged[first.name], before.kept, after.kept),
        stages=ask_stages(work, before.judged, after.judged, before.kept, after.kept) if study.stages else None,
        divergence=divergence(sides[0], sides[1], seed=study.seed) if work.kept and comparable else None,
    )


def follow(
    study: Study,
    *,
    out: Path | str,
    folder: Path | str = ".",
    tables: Tables | None = None,
    strict: bool = False,
    shard: bool = False,
) -> None:
    """Teach and ask as the first process of a run says, in another that torchrun has started; write nothing.

    The run folder must lie where the first process's lies: the tuned model and the checkpoints are read there.
    """
    from afters.model.parallel import join
    from afters.study.teaching import teach

    processes = join()
    work = _open(
        *(study, RunFolder(Path(out)), processes),
        files_in=Path(folder),
        tables=tables,
        strict=strict,
        tell=Silent(),
        shard=shard,
    )
    base = functools.partial(base_model, work)
    every = stages_of(work) or (work, *smaller(work), *retaught(work, base))
    works = {(one.fewer, one.other): one for one in every}

    @functools.lru_cache(maxsize=1)
    def model(who: str, rows: int | None, name: str) -> LanguageModel:
        if who == "base":
            return base_model(work)
        return tuned_model(works.get((rows, name)) or other(work, name))

    while "end" not in (said := processes.told()):
        if "teach" in said:
            model.cache_clear()
            fewer, name = said["teach"]
            teach(works[fewer, name])
        else:
            errand = Errand(**said["ask"])
            task = work.named(errand.task)
            rows = list(rows_of(task, errand))
            for _ in ask(model(errand.model, errand.rows, errand.other), rows, task.decoding, done=said["done"]):
                pass
    processes.leave()


def _open(
    study: Study,
    folder: RunFolder,
    processes: Processes,
    *,
    files_in: Path,
    tables: Tables | None = None,
    strict: bool,
    tell: Teller,
    shard: bool = False,
) -> Work:
    """Check everything that can be checked without a model; the first process makes the base of a configuration."""
    if shard:
        check_shards(study, processes=processes.count)
    answers = cache.opened(tell=tell.say)
    with TemporaryDirectory() as draft:
        tasks, kept, base, prompter, from_scratch = start(
            study, files_in=files_in, tables=tables, strict=strict, draft=Path(draft)
        )
        encode(tasks, prompter, study)
        kept, left_out = fit_kept(kept, prompter, study)
        if from_scratch:
            if processes.first:
                base = begin(study, base, folder=folder)
                tell.say(f"{study.model.base}: random weights, {len(prompter.tokenizer):,} pieces")
            base = Path(processes.told(str(base.resolve())))
    work = Work(study, folder, tell, tasks, kept, left_out, base, prompter, processes, shard, answers)
    check_stages(work)
    for task in tasks:
        for line in (_rows_told(task), *(f"{task.name}: {line}" for line in task.other_wordings.told)):
            tell.say(line)
    for line in (*_kept_told(work), *announced(work)):
        tell.say(line)
    if answers is not None and (size := answers.size()):
        tell.say(f"cache: {size.told}")
    return work


def _claim(taught: Iterable[Work]) -> None:
    """Refuse folders of another run before anything is written; else note what each is made with."""
    from afters.study.teaching import training_key

    keys = [(one.folder, training_key(one)) for one in taught]
    for folder, key in keys:
        folder.check("train", key)
    for folder, key in keys:
        folder.claim("train", key)


def _write_down(work: Work) -> None:
    """Write down what the run is made of."""
    work.folder.forget_labels()
    work.folder.write("study.toml", tomli_w.dumps(work.study.plain()))
    work.folder.write_json("data.json", {task.name: task.account for task in work.tasks})
    declare(work)


def _rows_told(task: TaskAtHand) -> str:
    taught = task.account["train"]["used"]
    judged = f"{len(task.validation):,} to validate, {len(task.test):,} to judge"
    cut = sum(counts["prompts cut"] for counts in task.account["cut"].values())
    shortened = f"; shortened: {count(cut, 'prompt')}" if cut else ""
    wordings = f" in {count(len(others) + 1, 'wording')}" if (others := task.other_wordings.asked) else ""
    return f"{task.name}: {taught:,} rows to teach, {judged}{wordings}{task.set_aside_told}{shortened}"


def _not_asked_whole(task: TaskAtHand) -> str:
    """Say how many judging rows of a kept task were set aside, and why, and how many of its prompts were cut."""
    told = [
        f"set aside: {entry['count']:,} {entry['reason']}"
        for entry in task.account["set_aside"]
        if entry["side"] in ("test", "unassigned")
    ]
    cut = task.account["cut"]["test"]["prompts cut"]
    return "; ".join([*told, *([f"shortened: {count(cut, 'prompt')}"] if cut else [])])


def _kept_told(work: Work) -> Iterator[str]:
    """Say what must not be lost, and what of that is left out."""
    if work.kept:
        asked = sum(len(task.test) for task in work.kept)
        yield f"not to be lost: {', '.join(task.name for task in work.kept)}; {asked:,} rows to judge"
    for task in work.kept:
        if told := _not_asked_whole(task):
            yield f"{task.name}: {told}"
    for name, reason in work.left_out.items():
        yield f"{name}: left out: {reason}"


def _ask_part(work: Work, part: Work) -> dict[str, Result]:
    """Ask the model of a smaller teaching what the run's own is asked, task by task."""
    model = functools.cache(lambda: tuned_model(part))
    return {task.name: ask_with_fewer_rows(work, task, model, part.rows) for task in work.tasks}


def _across(task: TaskAtHand, before: Worded, after: Worded, *, seed: int) -> Wordings:
    """Set a task's primary score in every wording side by side."""
    return in_wordings(
        before,
        after,
        task.primary_metric,
        score=task.primary,
        decides=task.decides,
        prompts={wording.id: wording.prompt for wording in task.test.template.wordings},
        left_out=task.other_wordings.left_out,
        seed=seed,
    )


def _write_up(
    work: Work,
    compared: Compared,
    besides: Besides,
) -> Told:
    """Write the verdict, the page and the model's card, and return what they tell."""
    folder = work.folder
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    peak = max(peak, folder.read_json("making.json").get("peak_memory_mb", 0.0))
    too_late = list(declared_too_late(work))
    for line in too_late:
        work.tell.say(line)
    folder.write_json(
        "making.json",
        {
            "versions": _versions(),
            "peak_memory_mb": peak,
            "not_measured": [*too_late, *_not_measured(work), *compared.left_out],
            "primary": {task.name: task.primary for task in work.tasks},
            "kept": [task.name for task in work.kept],
            "validation_name": _validation_name(work),
        },
    )
    told = folder.told(compared.comparisons, besides)
    folder.write("verdict.json", verdict_json(told))
    folder.write("report.html", render(build(told)))
    folder.write("model/README.md", model_card(told, base=work.study.model.base))
    return told


def _validation_name(work: Work) -> str:
    """Return what the training log's `validation` measures: that of the last stage, where there are several."""
    last = (stages_of(work) or (work,))[-1]
    if last.study.train.keep_best_by == "loss":
        return "loss"
    names = [task.primary for task in last.tasks if len(task.validation)] or [last.tasks[0].primary]
    return names[0] if len(names) == 1 else f"the mean of {', '.join(dict.fromkeys(names))} over the tasks"


def _not_measured(work: Work) -> Iterator[str]:
    yield FORGETTING_ELSEWHERE if work.kept else FORGETTING
    for name, reason in work.left_out.items():
        yield f"{name}: left out: {reason}."
    for task in work.kept:
        if told := _not_asked_whole(task):
            yield f"{task.name}: {told}."
    yield from NOT_MEASURED


def _versions() -> dict[str, str]:
    names = ("afters", "torch", "transformers", "tokenizers", "peft", "numpy", "scipy", "sacrebleu")
    return {"python": platform.python_version()} | {name: version(name) for name in names}
