"""What a run leaves on disk, and reads back: a report needs no model and no torch.

    runs/NAME/
      study.toml          the settings as resolved
      data.json           rows read, used, set aside (why), lengths
      declared.json       what judges each task, as declared before any answer of a tuned model was known
      making.json         versions, peak memory, what was not measured
      results/index.json  which Result is which: task, then label, then KEY
      results/KEY/        identity.json, cases.jsonl, scores.json; answers.jsonl while it is being asked
      start/              key.json, and model/ with random weights, where a run begins with a configuration
      rehearsed/          what the base said to kept rows, where that is taught
      train/              key.json, steps.jsonl, checkpoints/
      model/              the tuned model, or its adapter
      rows/N/             train/ and model/ of a teaching with N rows only, where [train] rows asks for it
      others/NAME/        train/ and model/ of a stage, or of what [mend] tries; model/ of the run's own on its way
      verdict.json        the comparisons; no time, no path, no host: equal runs give equal files
      report.html         the page

`afters evaluate` leaves less: study.toml, data.json, making.json, results/ (whose key.json says which model it asked),
and scores.json in the place of a verdict.

A key.json is the first thing written into a folder: train/'s by a run (start/'s, where it starts from scratch), and
results/'s by an evaluation. What stands without it is somebody else's, and is neither overwritten nor believed.

KEY is a hash of everything that decides the answers, so the same question is never asked twice and a tuned model
never gets another's answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from afters.compare.cures import Cure
from afters.compare.kept import Divergence, Kept
from afters.compare.rows import RowCurve
from afters.compare.stages import Staged
from afters.compare.wordings import Wordings
from afters.errors import RunFolderError
from afters.metrics.table import metric_for
from afters.records import Case, Comparison, Example, Prediction, Result, Row, Score, Shot
from afters.report.told import Besides, Told

LONE_SURROGATES = "backslashreplace"
"""A lone surrogate, which JSON can bring and UTF-8 cannot hold, is written as its escape; JSON reads that back."""


_IN_WORDING = " wording="


def label_in(wording: str, *, label: str) -> str:
    """Return the label of what was asked like `label`, in another wording than the one that decides."""
    return label + _IN_WORDING + wording


def is_in_other_wording(label: str) -> bool:
    """Tell whether a Result of that label was asked in another wording than the one that decides."""
    return _IN_WORDING in label


_AT_ROWS = "rows="


def label_at(rows: int) -> str:
    """Return the label of what a model answered that was taught only so many rows."""
    return f"{_AT_ROWS}{rows}"


_OTHER = "other="


def label_of_other(name: str) -> str:
    """Return the label of what another model than the run's own answered."""
    return f"{_OTHER}{name}"


DRAWN, SAID = "drawn", "what the base says"
"""The label of answers that the base drew by chance, and the name of the task that weighs them."""


NOT_YET = "known once the stage before is taught"
"""What a key says of a setting that is filled in later."""

_WRITTEN = (
    *("study.toml", "data.json", "declared.json", "making.json", "verdict.json", "scores.json", "report.html"),
    *("results", "train", "model", "start", "rows", "others", "rehearsed"),
)
"""What Afters writes or takes up at the top of a folder. All else may stand there: a log, a .gitignore, rows."""

_BEGINS = {"train": "a run", "start": "a run from scratch", "results": "an evaluation"}
"""What begins with the key of that name."""


class RunFolder:
    """One run on disk, or one of its teachings within `whole`. Every file appears whole or not at all."""

    def __init__(self, path: Path, *, whole: Path | None = None) -> None:
        self.path = path
        self.whole = whole or path
        self.model = path / "model"
        self.train = path / "train"
        self.page = path / "report.html"
        self.verdict = path / "verdict.json"

    @classmethod
    def opened(cls, path: Path, *, judged: bool = False) -> RunFolder:
        """Return the run in `path`; an error when there is none. With `judged`, an evaluation will do."""
        evaluated = (path / "scores.json").is_file()
        if not (path / "verdict.json").is_file() and evaluated and not judged:
            raise RunFolderError(
                "an evaluation has scores, and no verdict",
                where=str(path),
                expected="a folder that `afters run` has made",
                hint=f"Compare it with another result: afters compare OTHER {path}.",
            )
        if not (path / "verdict.json").is_file() and not evaluated:
            raise RunFolderError(
                f"no finished run in '{path}'",
                expected="a folder that `afters run` has made, with a verdict.json",
                hint="Name the run's own folder, as runs/NAME; one that was interrupted goes on when run again.",
            )
        folder = cls(path)
        folder._check_answers_stand(folder.read_json("verdict.json"))
        return folder

    def write(self, name: str, text: str) -> Path:
        """Write a file so that it stands whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("w", encoding="utf-8", errors=LONE_SURROGATES) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path

    def write_json(self, name: str, content: object) -> Path:
        """Write a JSON file, keys sorted, a line break at its end."""
        return self.write(name, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Return a JSON file's content, or {} when the file is not there."""
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunFolderError("not JSON", where=name, received=str(error)) from None

    def claim(self, name: str, settings: Mapping[str, str]) -> None:
        """Note in `name`/key.json what the folder's content is made with, before anything else is written there.

        A setting that is NOT_YET known is filled in by a later claim. To be refused, see `check`.
        """
        self.check(name, settings)
        if self._key(name) != dict(settings):
            self.write_json(f"{name}/key.json", dict(settings))

    def check(self, name: str, settings: Mapping[str, str]) -> None:
        """Refuse a folder that was made with other settings, or by others.

        Raises:
            RunFolderError: nothing has been written.
        """
        self.check_whose(name)
        made_with = self._key(name)
        changed = [key for key in {*made_with, *settings} if made_with.get(key) not in (settings.get(key), NOT_YET)]
        if made_with and changed:
            key = min(changed, key=lambda key: (settings.get(key) == NOT_YET, key))
            raise RunFolderError(
                f"the run in this folder was made with another {key}",
                where=str(self.path / name),
                expected=f"{key} = {made_with.get(key, 'not set')}",
                received=f"{key} = {settings.get(key, 'not set')}",
                hint=f"Give the new run its own folder with --out, or remove the whole run folder, {self.whole}.",
            )

    def check_whose(self, name: str) -> None:
        """Refuse content that would be overwritten, or taken for our own, and that no `name`/key.json tells of.

        Raises:
            RunFolderError: nothing has been written.
        """
        above = next(path for path in (self.path, *self.path.parents) if path.exists())
        if not above.is_dir():
            raise RunFolderError(f"'{above}' is a file", expected="a folder for the run", hint="Name another --out.")
        begun = name == "train" and bool(self._key("start"))
        found = [self._shown(one) for one in _WRITTEN if self._stands(one) and not (begun and one == "start")]
        if not found or self._key(name):
            return
        other = next((kind for key, kind in _BEGINS.items() if not begun and self._key(key)), None)
        raise RunFolderError(
            f"this folder holds {other}" if other else "this folder is in use, and does not say what it was made with",
            where=str(self.path),
            expected=f"a new or empty folder, or one that {_BEGINS[name]} has begun with {name}/key.json",
            received=", ".join(found),
            hint=f"It is left as it is. Name another --out{self._or_remove(name) if not other else ''}.",
        )

    def _or_remove(self, name: str) -> str:
        """Return what else to do about a run whose key was removed; of a user's own files nothing is to be removed."""
        if not (self.whole / "results" / "index.json").is_file():
            return ""
        return f", or remove the whole run folder, {self.whole}: nobody knows what it was made with without {name}/"

    def _key(self, name: str) -> dict[str, str]:
        """Return what `name` was made with; {} when nobody has said so."""
        key = self.read_json(f"{name}/key.json")
        return key if isinstance(key, dict) else {}

    def _stands(self, name: str) -> bool:
        """Tell whether something is there; a draft alone is nothing, as an interrupted first run may have left it."""
        path = self.path / name
        if path.is_dir() and path != self.model:  # a model's folder counts even when it is empty
            return any(not child.name.startswith(".") for child in path.iterdir())
        return os.path.lexists(path)

    def _shown(self, name: str) -> str:
        return f"{name}/" if (self.path / name).is_dir() else name

    def answers(self, identity: Mapping[str, str]) -> tuple[dict[str, Prediction], Callable[[list[Prediction]], None]]:
        """Return the answers known so far under this identity, and a function that keeps more of them."""
        folder = self._result_folder(identity)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "answers.jsonl"
        whole = _whole_lines(path)
        # An interrupted last line would spoil the one that follows it.
        self.write(str(path.relative_to(self.path)), "".join(line + "\n" for line in whole))
        known = {made.example: made for made in (Prediction.read(json.loads(line)) for line in whole)}

        def keep(batch: list[Prediction]) -> None:
            with path.open("a", encoding="utf-8", errors=LONE_SURROGATES) as file:
                file.writelines(json.dumps(asdict(prediction), ensure_ascii=False) + "\n" for prediction in batch)

        return known, keep

    def keep_result(self, result: Result) -> None:
        """Write a Result and enter it in the index under its task and label."""
        folder = self._result_folder(result.identity)
        name = str(folder.relative_to(self.path))
        lines = (_case_line(case, result.rows, index) for index, case in enumerate(result.cases))
        self.write(f"{name}/cases.jsonl", "".join(lines))
        self.write_json(f"{name}/scores.json", [asdict(score) for score in result.scores])
        self.write_json(f"{name}/identity.json", {"identity": dict(result.identity), "seconds": result.seconds})
        (folder / "answers.jsonl").unlink(missing_ok=True)
        self.enter(result.task, result.label, folder.name)

    def forget_labels(self) -> None:
        """Empty the index, so that it tells of this run's Results alone; the Results themselves stay."""
        self.write_json("results/index.json", {})

    def enter(self, task: str, label: str, key: str) -> None:
        """Enter a Result's key in the index."""
        index = self.read_json("results/index.json")
        index.setdefault(task, {})[label] = key
        self.write_json("results/index.json", index)

    def find_result(self, identity: Mapping[str, str], *, task: str, label: str) -> Result | None:
        """Return the Result of that identity when it was asked before, and enter it under `label`."""
        folder = self._result_folder(identity)
        if not (folder / "identity.json").is_file():
            return None
        self.enter(task, label, folder.name)
        return self._read_result(folder, task=task, label=label)

    def results(self) -> dict[str, dict[str, Result]]:
        """Return all Results: by task, then by label."""
        index = self.read_json("results/index.json")
        return {
            task: {
                label: self._read_result(self.path / "results" / key, task=task, label=label)
                for label, key in labels.items()
            }
            for task, labels in index.items()
        }

    def at(self, rows: int) -> RunFolder:
        """Return the folder of the teaching with so many rows only; its Results stand in this one."""
        return RunFolder(self.path / "rows" / str(rows), whole=self.path)

    def other(self, name: str) -> RunFolder:
        """Return the folder of another model than the run's own: of a stage, or made to lose less; not its Results'."""
        return RunFolder(self.path / "others" / name, whole=self.path)

    def steps(self) -> list[dict[str, Any]]:
        """Return the lines of the training log."""
        return [json.loads(line) for line in _whole_lines(self.train / "steps.jsonl")]

    def told(
        self,
        comparisons: Sequence[Comparison] = (),
        besides: Besides | None = None,
    ) -> Told:
        """Return all that a report may tell; what was compared is read from the verdict when it is not given."""
        making, every = self.read_json("making.json"), self.results()
        if not comparisons:
            comparisons, besides = self._compared_before(every)
        results = [one for labels in every.values() for one in labels.values()]
        kept = {*making.get("kept", []), SAID}
        shown = [one for one in results if not one.label.startswith(_BESIDES) and one.task not in kept]
        shown = sorted((one for one in shown if not is_in_other_wording(one.label)), key=_place)
        primary = making["primary"][comparisons[0].task]
        return Told(
            name=tomllib.loads((self.path / "study.toml").read_text(encoding="utf-8"))["name"],
            results=tuple(shown),
            comparisons=tuple(comparisons),
            **(besides or Besides())._asdict(),
            kept_results=tuple(one for one in results if one.task in kept),
            primary=primary,
            metric=metric_for(primary),
            steps=tuple(self.steps()),
            validation_name=making["validation_name"],
            data=_together(self.read_json("data.json")),
            settings=tomllib.loads((self.path / "study.toml").read_text(encoding="utf-8")),
            versions=making["versions"],
            not_measured=tuple(making["not_measured"]),
            costs=self._costs(results, kept=kept) | {"peak_memory_mb": making["peak_memory_mb"]},
        )

    def _compared_before(self, results: Mapping[str, Mapping[str, Result]]) -> tuple[list[Comparison], Besides]:
        """Return what the verdict says; an error where what it speaks of was since replaced in part by another run."""
        verdict = self.read_json("verdict.json")
        self._check_answers_stand(verdict)
        for task, label, metric in _compared(verdict):
            if metric not in {score.name for score in results[task][label].scores}:
                raise self._being_done_anew(f"no {metric} of {task}, {label}")
        return [Comparison(**_with_tuples(one)) for one in verdict["comparisons"]], Besides(
            wordings=tuple(Wordings.read(one) for one in verdict.get("wordings", [])),
            rows=tuple(RowCurve.read(one) for one in verdict.get("rows", [])),
            kept=tuple(Kept.read(one) for one in verdict.get("kept", [])),
            cures=tuple(Cure.read(one) for one in verdict.get("cures", [])),
            stages=Staged.read(verdict["stages"]) if "stages" in verdict else None,
            divergence=Divergence(**verdict["divergence"]) if "divergence" in verdict else None,
        )

    def _check_answers_stand(self, verdict: Mapping[str, Any]) -> None:
        """Refuse a verdict whose answers are being collected anew, by a run that was interrupted."""
        index = self.read_json("results/index.json")
        for task, label, _ in _compared(verdict):
            if label not in index.get(task, {}):
                raise self._being_done_anew(f"none to {task}, {label}")

    def _being_done_anew(self, received: str) -> RunFolderError:
        return RunFolderError(
            "this run is being done anew, and has not come to its new verdict",
            where=str(self.path),
            expected="the answers that its verdict speaks of",
            received=received,
            hint="Run the same command again to finish: it goes on where it was interrupted.",
        )

    def _costs(self, results: Sequence[Result], *, kept: Container[str]) -> dict[str, float]:
        """Return the seconds of every stage; of a stage done in several runs, those of the answers that stand."""
        asked: dict[str, float] = {}
        for one in results:
            seconds = sum(answer.seconds for case in one.cases for answer in case.predictions)
            label, other, _ = one.label.partition(_IN_WORDING)
            if _OTHER in label:
                stage = "asking the other models_seconds"
            elif one.task in kept:
                stage = f"{label}, what must not be lost_seconds"
            elif label.startswith(_AT_ROWS):
                stage = "after, with fewer rows_seconds"
            else:
                stage = f"{label}, in the other wordings_seconds" if other else f"{label}_seconds"
            asked[stage] = asked.get(stage, 0.0) + seconds
        known = sum(answer.from_cache for one in results for case in one.cases for answer in case.predictions)
        from_cache = {"answers_from_cache": float(known)} if known else {}
        taught = {"training_seconds": self._teaching_seconds()}
        for place in sorted((self.path / "others").glob("*")):
            if seconds := self.other(place.name)._teaching_seconds():
                taught[f"training, {place.name}_seconds"] = seconds
        if fewer := {int(one.label.removeprefix(_AT_ROWS)) for one in results if one.label.startswith(_AT_ROWS)}:
            taught["training, with fewer rows_seconds"] = sum(self.at(rows)._teaching_seconds() for rows in fewer)
        return asked | taught | from_cache

    def _teaching_seconds(self) -> float:
        return float(sum(step["seconds"] for step in self.steps()))

    def _result_folder(self, identity: Mapping[str, str]) -> Path:
        text = json.dumps(dict(identity), sort_keys=True)
        return self.path / "results" / hashlib.sha256(text.encode()).hexdigest()[:16]

    def _read_result(self, folder: Path, *, task: str, label: str) -> Result:
        name = folder.relative_to(self.path)
        made = self.read_json(f"{name}/identity.json")
        lines = [json.loads(line) for line in _whole_lines(folder / "cases.jsonl")]
        scores = tuple(Score(**score) for score in self.read_json(f"{name}/scores.json"))
        asked = max((score.judged + score.unjudged for score in scores), default=len(lines))
        if len(lines) != asked:
            raise RunFolderError(
                f"the answers of {task}, {label}, are damaged",
                where=str(folder / "cases.jsonl"),
                expected=f"{asked:,} whole lines, as its scores tell",
                received=f"{len(lines):,}",
                hint=f"Remove {folder} and run the same command again: its rows are asked anew.",
            )
        metrics = list(lines[0]["rows"]) if lines else []
        rows = {metric: tuple(_row(line["rows"][metric]) for line in lines) for metric in metrics}
        return Result(label, task, made["identity"], tuple(map(_case, lines)), rows, scores, made["seconds"])


def _compared(verdict: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield task, label and score of everything that a verdict sets side by side."""
    kept = (one["comparison"] for one in verdict.get("kept", []))
    for one in (*verdict.get("comparisons", []), *kept):
        yield from ((one["task"], one[side], one["metric"]) for side in ("before", "after"))


_BESIDES = ("validation", _AT_ROWS, _OTHER, DRAWN)
"""What labels begin with that are shown in parts of their own."""


def _place(result: Result) -> tuple[int, int]:
    """Order Results as they are told: before, with shots, the baseline, after."""
    order = {"before": 0, "nearest": 2, "after": 3}
    return order.get(result.label, 1), int(result.identity["shots"].partition(":")[0])


def _together(accounts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the accounts of several tasks as one: rows added up, everything else told under its task's name."""
    if len(accounts) == 1:
        return next(iter(accounts.values()))
    keys = ("read", "used", "set_aside")
    sides = {
        side: {key: sum(account[side][key] for account in accounts.values()) for key in keys}
        for side in ("train", "validation", "test")
    }
    aside = [
        {**entry, "reason": f"{task}: {entry['reason']}"}
        for task, account in accounts.items()
        for entry in account["set_aside"]
    ]
    lengths = {
        f"{task} {what}": spread for task, account in accounts.items() for what, spread in account["lengths"].items()
    }
    cut = {f"{task} {side}": counts for task, account in accounts.items() for side, counts in account["cut"].items()}
    notes = [f"{task}: {note}" for task, account in accounts.items() for note in account["notes"]]
    return {**sides, "set_aside": aside, "lengths": lengths, "cut": cut, "notes": notes}


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}


def _whole_lines(path: Path) -> list[str]:
    """Return a file's lines; an unfinished last one is left out."""
    if not path.is_file():
        return []
    # Bytes, because an interrupted write can end within a character; not splitlines(), because a U+2028 in a JSON
    # string is no end of line.
    return [line.decode() for line in path.read_bytes().split(b"\n")[:-1]]


def _case_line(case: Case, rows: Mapping[str, Sequence[Row | None]], index: int) -> str:
    content = {**asdict(case), "rows": {metric: observed[index] for metric, observed in rows.items()}}
    return json.dumps(content, ensure_ascii=False) + "\n"


def _case(line: Mapping[str, Any]) -> Case:
    return Case(
        id=line["id"],
        cluster=line["cluster"],
        examples=tuple(_example(example) for example in line["examples"]),
        predictions=tuple(Prediction.read(prediction) for prediction in line["predictions"]),
    )


def _example(content: Mapping[str, Any]) -> Example:
    tuples = {name: tuple(content[name]) for name in ("references", "choices", "choice_scores")}
    cuttable = content["cuttable"]
    shots = tuple(Shot(**shot) for shot in content["shots"])
    return Example(**{**content, **tuples, "shots": shots, "cuttable": tuple(cuttable) if cuttable else None})


def _row(content: Sequence[float] | None) -> Row | None:
    return None if content is None else tuple(content)
