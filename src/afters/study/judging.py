"""Asking one model a study's judging rows, without teaching it: any model, that behind a server too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import tomli_w

from afters.data.tables import Tables
from afters.errors import RunFolderError, SettingsError
from afters.model import cache, files
from afters.model.address import Address, is_address
from afters.model.protocol import LanguageModel
from afters.records import Result
from afters.report.export import scores_json
from afters.runfolder import RunFolder, label_in
from afters.study.asking import Worded, ask_once, loaded, with_shots
from afters.study.fitting import fit
from afters.study.reading import read_tasks
from afters.study.settings import EndpointSettings, Study
from afters.study.start import prompter_for
from afters.study.work import Silent, TaskAtHand, Teller


@dataclass(frozen=True, slots=True)
class Judged:
    """What one model scored on the judging rows of every task."""

    study: str
    """The study's name."""
    model: str
    """As it was named."""
    results: tuple[Result, ...]
    """One for each task."""
    primary: Mapping[str, str]
    """For each task the score that decides."""
    wordings: Mapping[str, Worded] = field(default_factory=dict)
    """For each task judged in all wordings, the Result in each of them, first the one that decides."""

    def json(self) -> str:
        """Return the scores as JSON of schema `afters.scores/1`."""
        return scores_json(self.study, self.model, self.results, primary=self.primary, wordings=self.wordings)


def judge(
    model: str,
    study: Study,
    *,
    out: Path | str,
    folder: Path | str = ".",
    tables: Tables | None = None,
    shots: int = 0,
    strict: bool = False,
    tell: Teller | None = None,
) -> Judged:
    """Ask `model` the judging rows of every task, and leave answers and scores in `out`.

    What `out` holds already is not asked again, so an interrupted evaluation goes on when it is started again.

    Args:
        model: the embedded model, a folder with a model or an adapter, a hub name, or an address; in place of the
            study's own [model] base.
        study: whose rows, and how they are asked and scored.
        out: the folder for the answers.
        folder: what relative file names in the study are relative to.
        tables: the rows that the study names as "table:NAME", by name, as for `run`.
        shots: how many solved teaching rows stand in each prompt.
        strict: stop at the first row that cannot be used, instead of setting it aside.
        tell: who is told how it goes; nobody, when not given.

    Raises:
        InputError: something in the study, the rows or the model cannot be used; or a server gave no answer.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("several processes cannot evaluate together", hint="Start it without torchrun.")
    kept, told = RunFolder(Path(out)), tell or Silent()
    if kept.verdict.is_file():
        raise RunFolderError(
            f"'{out}' holds a run", expected="a folder for this model alone", hint="Name another --out."
        )
    kept.check_whose("results")
    study = study.model_copy(update={"model": study.model.model_copy(update={"base": model, "tokenizer": None})})
    tasks = read_tasks(study, folder=Path(folder), tables=tables, strict=strict)
    for line in (f"{task.name}: {line}" for task in tasks for line in task.other_wordings.told):
        told.say(line)
    label = f"shots={shots}" if shots else "asked"
    results, wordings = list[Result](), dict[str, Worded]()
    with _model(study, tasks, files_in=Path(folder), tell=told) as asked:
        kept.claim("results", {"model": _who(asked)})
        kept.write("study.toml", tomli_w.dumps(study.plain()))
        kept.write_json("data.json", {task.name: task.account for task in tasks})
        for task in tasks:
            told.say(f"{task.name}: {len(task.test):,} rows to judge{task.set_aside_told}")
            rows = with_shots(task, task.test, shots if task.asks else 0)
            result = ask_once(asked, rows, task, label=label, seed=study.seed, folder=kept, tell=told)
            told.say(f"{task.name}: {_answered(result)}")
            results.append(result)
            if (others := task.other_wordings.asked) and shots:
                told.say(f"{task.name}: asked in one wording; the others are asked without solved examples only")
            elif others:
                ask = partial(ask_once, asked, task=task, seed=study.seed, folder=kept, tell=told)
                besides = {name: ask(task.test.in_wording(name), label=label_in(name, label=label)) for name in others}
                wordings[task.name] = {task.decides: result, **besides}
    judged = Judged(study.name, model, tuple(results), {task.name: task.primary for task in tasks}, wordings)
    kept.write_json("making.json", {"primary": dict(judged.primary)})
    kept.write("scores.json", judged.json())
    return judged


def place_for(model: str, study: Study) -> Path:
    """Return the folder for the answers of a model, where none is named: runs/NAME-MODEL."""
    name = Address.parse(model).model if is_address(model) else _last_of(Path(model))
    return Path("runs") / f"{study.name}-{re.sub(r'[^A-Za-z0-9._]+', '-', name).strip('-.')}"


def _last_of(path: Path) -> str:
    """Return a folder's name; of a run's model, the run's."""
    return path.name if path.name != "model" else path.resolve().parent.name


@contextmanager
def _model(study: Study, tasks: list[TaskAtHand], *, files_in: Path, tell: Teller) -> Iterator[LanguageModel]:
    """Open the model that `base` names, the rows measured for it where it has a tokenizer here."""
    if is_address(study.model.base):
        from afters.model.endpoint import Endpoint

        settings = study.model.endpoint or EndpointSettings()
        with Endpoint(Address.parse(study.model.base), **settings.model_dump()) as endpoint:
            yield endpoint
        return
    base, adapter = _found(study.model.base, files_in=files_in)
    prompter = prompter_for(base, study)
    fit(tasks, prompter, study)
    limit = prompter.max_prompt_tokens
    yield loaded(base, study, adapter=adapter, max_prompt_tokens=limit, cache=cache.opened(tell=tell.say))


def _found(name: str, *, files_in: Path) -> tuple[Path, Path | None]:
    """Return the folder of a model; of an adapter, its base's folder and its own."""
    if files.is_adapter(Path(name)):
        return files.find(files.base_of(Path(name)), relative_to=files_in), Path(name)
    return files.find(name), None


def _who(model: LanguageModel) -> str:
    """Return what a folder of answers is for: a server's model, or weights and adapter."""
    parts = (model.identity.get(key, "none") for key in ("endpoint", "interface", "weights", "adapter"))
    return " ".join(part for part in parts if part != "none")


def _answered(result: Result) -> str:
    """Say how many answers there are, and who gave them where that is told."""
    names = sorted({made.answered_by for case in result.cases for made in case.predictions if made.answered_by})
    return f"{len(result.cases):,} Cases judged" + (f", answered by {' and '.join(names)}" if names else "")
