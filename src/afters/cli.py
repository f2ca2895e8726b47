"""The verbs. Each is a typed function that calls one public function; heavy imports wait until a verb needs them."""

from __future__ import annotations

import errno
import json as json_text
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from afters import __version__
from afters.errors import AftersError, InputError, SettingsError

if TYPE_CHECKING:
    from afters.report.told import Told
    from afters.study.judging import Judged
    from afters.study.work import Advance

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a file cannot be written because nothing more fits."""

NO_LEAVE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""What it says of a place where this user may not write, or a file that may not be read."""

SECONDS_TO_UNWIND = 5.0
"""A stop that has not reached `main` by then got lost on the way."""

app = typer.Typer(
    help="Fine-tune a language model on your own data, and prove that it got better.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study; see examples/.")]
Out = Annotated[Path | None, typer.Option(help="The run folder; runs/NAME when not given.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as train.learning_rate=3e-4. Repeatable."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")]
Shard = Annotated[
    bool,
    typer.Option(
        "--shard", help="Under torchrun: each process holds a share of weights, gradients and moments (FSDP2)."
    ),
]
Mend = Annotated[
    bool,
    typer.Option("--mend", help="Try what loses less: replay held to the base, and weights between base and tuned."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="All chance comes from it.")] = 7,
    changes: Changes = None,
    json: Json = False,
) -> None:
    """Run the whole way on the embedded model and generated support chats: no network, no GPU, a few minutes."""
    from afters.config import changed
    from afters.study.demo import write_demo
    from afters.study.run import run as run_study

    study = changed(write_demo(out / "data", seed=seed), changes=changes or ())
    _tell(run_study(study, out=out, folder=out / "data", tell=_Shell(quiet=json)), out, json=json)


@app.command()
def run(
    study: StudyFile,
    out: Out = None,
    changes: Changes = None,
    strict: Strict = False,
    shard: Shard = False,
    mend: Mend = False,
    json: Json = False,
) -> None:
    """Ask, fine-tune, ask again, compare, report. Run it again to go on where it was interrupted."""
    from afters.config import changed, read_study
    from afters.study.run import follow
    from afters.study.run import run as run_study
    from afters.study.settings import USUAL_CURES, goes_part_of_the_way

    settings = read_study(study, changes=changes or ())
    shell = _Shell(quiet=json or _is_follower())
    if mend and settings.mend.is_empty:
        cures = dict(USUAL_CURES)
        if not goes_part_of_the_way(settings.train):
            del cures["interpolate"]
            shell.say(f'--mend: a part of the way is left out: no one factor weakens "{settings.train.method}"')
        settings = changed(settings, changes=cures.values())
    folder = out or Path("runs") / settings.name
    if _is_follower():
        return follow(settings, out=folder, folder=study.parent, strict=strict, shard=shard)
    told = run_study(settings, out=folder, folder=study.parent, strict=strict, tell=shell, shard=shard)
    _tell(told, folder, json=json)


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="The embedded model, a folder (a run's model/ too, or an adapter), a hub name, or a server's address, "
            "as http://localhost:8000/v1#qwen2.5-7b.",
        ),
    ],
    study: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Where the answers go; runs/NAME-MODEL when not given.")] = None,
    shots: Annotated[int, typer.Option(min=0, help="How many solved examples stand in each prompt.")] = 0,
    changes: Changes = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Ask any model a study's judging rows, and score it. What it leaves, `afters compare` can read."""
    from afters.config import read_study
    from afters.study.judging import judge, place_for

    settings = read_study(study, changes=changes or ())
    folder = out or place_for(model, settings)
    shell = _Shell(quiet=json)
    judged = judge(model, settings, out=folder, folder=study.parent, shots=shots, strict=strict, tell=shell)
    _tell_scores(judged, folder, json=json)


@app.command()
def preview(
    study: StudyFile,
    rows: Annotated[int, typer.Option("-n", min=1, help="How many rows of each side to show.")] = 2,
    changes: Changes = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Show rows as the model will read them, where all rows went, and what is wrong with them. Loads no weights."""
    from afters.config import read_study
    from afters.preview import preview as look
    from afters.preview import show

    previewed = look(read_study(study, changes=changes or ()), folder=study.parent, strict=strict)
    if json:
        print(previewed.json(rows=rows), end="")
    else:
        show(previewed, rows=rows)
    if spoilt := [finding.name for finding in previewed.spoilt_by]:
        _complain(f"a run would prove nothing, because of: {', '.join(dict.fromkeys(spoilt))}", code=2)


@app.command()
def templates(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Show this one on a row, as amazon_reviews/rating; or a file or a folder of another library's."
        ),
    ] = None,
    category: Annotated[str | None, typer.Option(help="List only these, as summarisation.")] = None,
    language: Annotated[str | None, typer.Option(help="List only those for rows in it, as en.")] = None,
    json: Json = False,
) -> None:
    """List the library of templates, or show what one makes of a row."""
    from rich.console import Console

    from afters.data.settings import template_named
    from afters.templates import find_templates, print_template, print_templates, shown, summary

    if name and (category or language):
        raise InputError("a template was named, and others were asked for", expected="a name, or what to list")
    found = [template_named(name, folder=Path())] if name else find_templates(category=category, language=language)
    if json:
        print(json_text.dumps(shown(found[0]) if name else [summary(one) for one in found]))
    elif name:
        print_template(found[0], Console())
    else:
        print_templates(found, Console())


@app.command()
def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")], json: Json = False) -> None:
    """Write the page of a run again, and tell its verdict. Needs no model."""
    from afters.report.document import build
    from afters.report.page import render
    from afters.runfolder import RunFolder

    folder = RunFolder.opened(run)
    told = folder.told()
    folder.write("report.html", render(build(told)))
    _tell(told, run, json=json)


@app.command()
def compare(
    sides: Annotated[
        list[str],
        typer.Argument(
            metavar="BEFORE [AFTER] | BEFORE… to AFTER…",
            help="Run folders (RUN, or RUN:LABEL), prediction files (.jsonl, .csv), lm-eval's samples or a folder of "
            "them. One run folder alone: its before and after. Several a side, 'to' between: seeds of a recipe.",
        ),
    ],
    metric: Annotated[
        list[str] | None, typer.Option(help="A score, or a column of numbers. The first decides, others explore.")
    ] = None,
    smallest_effect: Annotated[float | None, typer.Option(min=0, help="A smaller difference would not matter.")] = None,
    lower_is_better: Annotated[list[str] | None, typer.Option(help="A column of which less is better.")] = None,
    seed: Annotated[int, typer.Option(help="All chance comes from it.")] = 0,
    json: Json = False,
) -> None:
    """Compare two results that lie on disk, Case by Case: how much better, and how sure that is."""
    from afters.sides.compare import compare_sides

    before, after = _two_sides(sides)
    told = compare_sides(
        before,
        after,
        metrics=metric or (),
        smallest_effect=smallest_effect,
        lower_is_better=lower_is_better or (),
        seed=seed,
    )
    _tell(told, None, json=json)


@app.command()
def score(
    metric: Annotated[str, typer.Option(help="As rouge, rouge3, pyrouge, bleu, chrf, ter, exact_match.")],
    predictions: Annotated[Path, typer.Option(help="One answer a line.")],
    references: Annotated[list[Path], typer.Option(help="One right answer a line; repeat for several references.")],
    best_reference: Annotated[
        bool, typer.Option("--best-reference", help="ROUGE: count the reference that fits best, not the mean.")
    ] = False,
    stem: Annotated[bool, typer.Option(help="ROUGE: compare words by their stems.")] = True,
    words: Annotated[
        str, typer.Option(help="ROUGE: ascii, as published numbers; or unicode, for letters of every script.")
    ] = "ascii",
    positive: Annotated[
        str | None, typer.Option(help="The label that binary_f1 and multirc look for; the second of two, sorted.")
    ] = None,
    json: Json = False,
) -> None:
    """Score a file of answers against one or more files of references, with the metric's signature."""
    from afters.evaluate import remarks, score_files
    from afters.metrics.table import metric_with

    made = metric_with(metric, best_reference=best_reference, stem=stem, words=words, positive=positive)
    result = score_files(made, predictions, references)
    if json:
        # A score of no Case is nan, which JSON does not know.
        rows = [asdict(score) | {"signature": result.signature(score.name)} for score in result.scores]
        print(json_text.dumps([row if row["judged"] else row | {"value": None} for row in rows]))
    for score in () if json else result.scores:
        counts = f"{score.judged:,} judged, {score.unjudged:,} not"
        print(f"{score.name} = {score.value:.6g}  ({counts}; {result.signature(score.name)})")
    for remark in remarks(result, [made]):
        print(f"note: {remark}", file=sys.stderr)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Forget every answer.")] = False, json: Json = False
) -> None:
    """Show how many answers are kept for later studies, where, and how much room they take."""
    from afters.model.cache import opened

    answers = opened(tell=_refuse)
    if answers is not None and clear:
        answers.clear()
    size = answers.size() if answers is not None else None
    if json:
        print(json_text.dumps(size.plain() if size else {}))
    else:
        print(size.told if size else "no answers are kept: AFTERS_CACHE is off")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(f"afters {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run a verb; end with 0, 2 for the user's input, 1 for a fault of ours, 130 interrupted, 143 stopped."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except InputError as problem:
        _complain(str(problem), code=2)
    except AftersError as problem:
        _complain(str(problem), code=1)
    except OSError as problem:
        if problem.errno not in (*NO_ROOM, *NO_LEAVE):
            raise
        file = f"{problem.filename}: " if problem.filename else ""
        way_out = "Make room on the disk" if problem.errno in NO_ROOM else "Name another place, or ask for leave,"
        _complain(
            f"{file}{problem.strerror}\n  What stands in the run folder is whole. {way_out} and run the same command "
            "again to go on.",
            code=2,
        )
    except _Ended as ended:
        _complain(f"{ended}. Run the same command again to go on.", code=ended.code)
    finally:  # what was to be written stands: a signal that comes while the process is taken down changes nothing
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


class _Ended(BaseException):
    """A signal came; what stands on disk is whole."""

    def __init__(self, word: str, *, code: int) -> None:
        super().__init__(word)
        self.code = code


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    # A second one does not cut the way out short. But where the exception is lost, in a destructor or in C code that
    # clears errors, it is raised again.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_UNWIND)
    raise _Ended("Stopped", code=143)


def _interrupt(signal_number: int, frame: FrameType | None) -> NoReturn:
    raise _Ended("Interrupted", code=130)


def _refuse(text: str) -> NoReturn:
    raise InputError(text)


def _complain(text: str, *, code: int) -> NoReturn:
    print(f"afters: {text}", file=sys.stderr)
    sys.exit(code)


def _is_follower() -> bool:
    """Tell whether torchrun has started this process beside a first one, which alone writes and tells."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK") != "0"


def _two_sides(words: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before the word "to" and after it; two paths need no word between them."""
    if "to" in words:
        place = words.index("to")
        before, after = words[:place], words[place + 1 :]
        if not (before and after):
            raise SettingsError(
                f"nothing to compare with {'after' if before else 'before'} 'to'",
                where="afters compare",
                expected="results on both sides of it, as in `afters compare seed1 seed2 to new1 new2`",
                received=" ".join(words),
            )
        return before, after
    return (words[:1], words[1:]) if len(words) == 2 else (words, [])


def _tell(told: Told, folder: Path | None, *, json: bool) -> None:
    """Print a verdict: as JSON, or in words, with the page that lies in the run folder if there is one."""
    from rich.console import Console

    from afters.report.document import build, compared
    from afters.report.export import verdict_json
    from afters.report.terminal import print_document

    if json:
        print(verdict_json(told), end="")
    elif folder is None:
        print_document(compared(told), Console())
    else:
        print_document(build(told), Console(), page=folder / "report.html")


def _tell_scores(judged: Judged, folder: Path, *, json: bool) -> None:
    """Print what a model that was only asked has scored."""
    from rich.console import Console

    from afters.report.every_wording import asked_table
    from afters.report.findings import score_table
    from afters.report.numbers import count
    from afters.report.terminal import print_scores

    if json:
        print(judged.json(), end="")
    else:
        tables = [
            score_table([one], primary=judged.primary[one.task], caption=f"{one.task}: {count(len(one.cases), 'Case')}")
            for one in judged.results
        ]
        tables += [
            asked_table(asked, task=task, primary=judged.primary[task], decides=next(iter(asked)))
            for task, asked in judged.wordings.items()
        ]
        print_scores(tables, Console(), folder=folder)


class _Shell:
    """Tells a study in the shell: a bar for each stage, plain lines where there is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, quiet=quiet)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
            TextColumn("{task.fields[note]}"),
        )
        began = time.monotonic()
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:
            bar = bars.add_task(name, total=total, note="")

            def advance(count: int, note: str = "") -> None:
                bars.update(bar, advance=count, note=note)

            yield advance
        self.say(f"{name}: {total:,} in {time.monotonic() - began:.1f} s")
