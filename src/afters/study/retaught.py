"""What is taught anew so that less is lost: with rows of the kept tasks among the others, or held back to the base.

Each is the plain run's work with something more, and has a folder of its own under `others/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from afters import __version__
from afters.compare.cures import NoControl, uncontrolled
from afters.data.dataset import Dataset
from afters.errors import SettingsError
from afters.evaluate import ask
from afters.model import files
from afters.records import Decoding, Example
from afters.seeds import number
from afters.study.asking import AskedLater
from afters.study.work import TaskAtHand, Work
from afters.train.lessons import Pairs

REPLAY: Final = "replay"
REHEARSAL: Final = "rehearsal"
KL: Final = "kl"
L2_SP: Final = "l2sp"
"""What the names of the folders begin with; a dash and the number that the study gives follow."""

Rehearse = Callable[[TaskAtHand, int], TaskAtHand]
"""Makes a taught task, of so many rows a pass, out of a kept one."""


def retaught(work: Work, base: AskedLater) -> tuple[Work, ...]:
    """Return the work of each teaching beside the plain one. The base is asked only for what it is to rehearse.

    Where nothing will be called a cure for want of a control, that is told first: what follows may take hours.

    Raises:
        SettingsError: no kept task has rows to replay; or the base is to rehearse, and several processes would have to
            know what it said.
    """
    if (why := _no_control(work)) is not None:
        work.tell.say(f"[mend]: {uncontrolled(why)}")
    mend, replayed = work.study.mend, [task for task in work.kept if len(task.train)]
    rehearsed = [task for task in replayed if task.asks]
    for name, tasks in (("replay", replayed), ("kl", replayed), ("rehearse", rehearsed)):
        if getattr(mend, name) and not tasks:
            raise SettingsError(
                "there is nothing to replay",
                where=f"[mend] {name}",
                expected="a kept task with rows to teach",
                hint="Give a [[keep.task]] a `train` file, or watch over the probes that ship.",
            )
    if mend.rehearse and work.processes.count > 1:
        raise SettingsError(
            "what the base says is asked by one process",
            where="[mend] rehearse",
            received=f"{work.processes.count} processes",
            hint="Run it without torchrun, or replay rows instead.",
        )

    def in_its_own_words(task: TaskAtHand, rows: int) -> TaskAtHand:
        return _in_its_own_words(work, task, rows, base)

    every = [
        *(_among_others(work, _named(REPLAY, share), share, replayed, _as_it_stands) for share in mend.replay),
        *(_among_others(work, _named(REHEARSAL, share), share, rehearsed, in_its_own_words) for share in mend.rehearse),
        *(_among_others(work, _named(KL, share), share, replayed, _as_the_base_expects) for share in mend.kl),
        *(_held_back(work, strength) for strength in mend.l2_sp),
    ]
    return tuple(every)


def _no_control(work: Work) -> NoControl | None:
    """Return why the run's own model on its way will not stand there to compare with, so far as that is known now."""
    if work.study.mend.is_empty:
        return None
    if work.study.train.validations == 1:
        return "at first"
    kept = any((work.folder.path / "others").glob("step-*"))
    return "not kept" if not kept and (work.shard or work.folder.model.is_dir()) else None


def names(work: Work) -> tuple[str, ...]:
    """Return the names of all of them, in order."""
    mend = work.study.mend
    every = ((REPLAY, mend.replay), (REHEARSAL, mend.rehearse), (KL, mend.kl), (L2_SP, mend.l2_sp))
    return tuple(_named(kind, strength) for kind, strengths in every for strength in strengths)


def _named(kind: str, strength: float) -> str:
    return f"{kind}-{strength:g}"


def _among_others(work: Work, name: str, share: float, tasks: Sequence[TaskAtHand], rehearse: Rehearse) -> Work:
    """Return the work that teaches what the plain run does, and of kept tasks `share` of all taught tokens.

    Every kept task gives as many rows. As many tokens of each would be thousands of rows where an answer is one word,
    and a handful where it is a paragraph.
    """
    taught = sum(task.rows_a_pass * _tokens(task) for task in work.tasks)
    rows = max(1, round(taught * share / (1 - share) / sum(map(_tokens, tasks))))
    added = [rehearse(task, rows) for task in tasks]
    return replace(work, folder=work.folder.other(name), tasks=[*work.tasks, *added], other=name)


def _tokens(task: TaskAtHand) -> float:
    """Return how many tokens an answer of the task has, in the mean."""
    return float(task.pairs.sizes()[:, 1].mean())


def _as_it_stands(task: TaskAtHand, rows: int) -> TaskAtHand:
    return _taught(task, task.train, task.pairs, rows=rows)


def _as_the_base_expects(task: TaskAtHand, rows: int) -> TaskAtHand:
    taught = _as_it_stands(task, rows)
    taught.soft = True
    return taught


def _taught(task: TaskAtHand, train: Dataset, pairs: Pairs, *, rows: int) -> TaskAtHand:
    """Return a kept task as it is taught; which checkpoint is best is not its to say."""
    taught = replace(task, train=train, validation=task.validation.select([]))
    taught.pairs, taught.measured, taught.rows_a_pass = pairs, task.measured, rows
    return taught


def _in_its_own_words(work: Work, task: TaskAtHand, rows: int, base: AskedLater) -> TaskAtHand:
    """Return a kept task of which the base's own answers are taught: written ones drawn by chance, or its choice.

    A drawn answer's loss is, in the mean over draws, about the forward KL divergence from the base, up to a constant:
    about, since it is drawn as pieces and taught as text. What the limit cut off is taught without an end.
    """
    asked = task.train.take(rows, seed=work.study.seed)
    examples = [_open(example) for example in asked]
    said = _said(work, task, examples, base)
    pairs, kept = Pairs(), list[int]()
    for place, example in enumerate(examples):
        answer = (work.prompter.answer if said[example.id].finished else work.prompter.choice)(said[example.id].text)
        if answer:
            pairs.append(work.prompter.prompt(example).ids, answer)
            kept.append(place)
    if not kept:
        raise SettingsError(
            "the base has nothing to rehearse",
            where=f"[mend] rehearse, {task.name}",
            received="an empty answer to every row",
            hint="Replay the right answers instead.",
        )
    return _taught(task, asked.select(kept), pairs, rows=rows)


class _Answer(NamedTuple):
    """What the base said to a row."""

    text: str
    finished: bool


def _said(work: Work, task: TaskAtHand, examples: Sequence[Example], base: AskedLater) -> dict[str, _Answer]:
    """Return what the base says, by row; what the run folder has of it is not asked again."""
    longest = min(int(task.pairs.sizes()[:, 1].max()), work.study.judge.max_new_tokens)
    decoding = Decoding(max_new_tokens=longest, method="sample", seed=number(work.study.seed, REHEARSAL, task.name))
    name = f"rehearsed/{_key(work, task, decoding)}.json"
    known = {}
    if (work.folder.path / name).is_file():
        known = {row: _Answer(*answer) for row, answer in work.folder.read_json(name).items()}
    asked = [example for example in examples if example.id not in known]
    if asked:
        with work.tell.stage(f"what the base says to {task.name}", len(asked)) as advance:
            for batch in ask(base(), asked, decoding, done=()):
                known |= {one.example: _Answer(one.answers[0], one.finished) for one in batch}
                advance(len(batch))
        work.folder.write_json(name, known)
    return known


def _key(work: Work, task: TaskAtHand, decoding: Decoding) -> str:
    """Return what tells these answers from those of another base, in another arithmetic, or to other prompts.

    A row's id does not: it says nothing of the wordings.
    """
    known = {
        "task": task.name,
        "base weights": files.weights_hash(work.base),
        "tokenizer": files.tokenizer_hash(work.base),
        "teaching rows": task.train.fingerprint,
        "taught": _digest(task.pairs),
        "precision": work.study.model.precision,
        "quantised": work.study.model.quantised,
        "max_prompt_tokens": work.prompter.max_prompt_tokens,
        "decoding": decoding.plain(),
        "version of afters": __version__,
    }
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _digest(pairs: Pairs) -> str:
    whole = hashlib.sha256()
    for part in pairs.bytes():
        whole.update(part)
    return whole.hexdigest()


def _open(example: Example) -> Example:
    """Return the Example to be answered in writing, where its only choice is the answer."""
    return replace(example, choices=()) if len(example.choices) == 1 else example


def _held_back(work: Work, strength: float) -> Work:
    """Return the work that teaches the same, and pulls the weights back to the base's as it goes."""
    name = _named(L2_SP, strength)
    train = work.study.train.model_copy(update={"l2_sp": strength})
    study = work.study.model_copy(update={"train": train})
    return replace(work, study=study, folder=work.folder.other(name), other=name)
