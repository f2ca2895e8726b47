"""Fine-tuning within a study: the loop's inputs, the exam that it may not see, and the model that is left."""

from __future__ import annotations

import copy
import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from afters import __version__
from afters.compare.forgetting import best_value
from afters.errors import SettingsError
from afters.evaluate import evaluate
from afters.model import files
from afters.model.answering import Answerer
from afters.model.frozen import count, freeze
from afters.model.load import Loaded, load, skeleton
from afters.model.network import Network, NoNumber, Pair
from afters.model.quantised import check_device
from afters.model.recompute import recompute
from afters.model.shards import gathered, pour, shard
from afters.runfolder import NOT_YET, RunFolder
from afters.seeds import number
from afters.study.mixing import lessons_of
from afters.study.settings import Study
from afters.study.work import Work
from afters.train import checkpoint
from afters.train.lessons import Lessons
from afters.train.loop import train
from afters.train.loss import arithmetic, mean_loss
from afters.train.memory import plan
from afters.train.order import steps_of
from afters.train.settings import TrainSettings
from afters.train.shortage import is_shortage

Validate = Callable[[int], float]


def training_key(work: Work) -> dict[str, str]:
    """Return what decides the tuned weights, setting by setting; that others are taught with fewer rows does not."""
    tables = {
        "train": work.study.train.model_dump(exclude={"rows"}),
        "mixture": work.study.mixture.model_dump(),
    }
    settings = {f"{table}.{name}": str(value) for table, of in tables.items() for name, value in of.items()}
    stands = work.base.is_dir()  # but for a stage, before the last one is taught
    return settings | {
        "base weights": files.weights_hash(work.base) if stands else NOT_YET,
        "tokenizer": files.tokenizer_hash(work.base) if stands else NOT_YET,
        "teaching rows": _taught(work),
        "validation rows": ",".join(task.validation.fingerprint for task in work.tasks),
        "primary score": ",".join(f"{task.primary} of {task.primary_metric.signature}" for task in work.tasks),
        "max_prompt_tokens": str(work.prompter.max_prompt_tokens),
        "seed": str(work.study.seed),
        "precision": work.study.model.precision,
        "quantised": str(work.study.model.quantised),
        "decoding": str(work.study.decoding.plain()),
        "share of each task": ", ".join(f"{task.rows_a_pass} rows of a pass" for task in work.tasks),
        "version of afters": __version__,
        **{f"{task.name} is taught": "what the base expects" for task in work.tasks if task.soft},
    }


def _taught(work: Work) -> str:
    """Return what tells the teaching rows from all others."""
    whole = hashlib.sha256()
    for task in work.tasks:
        for part in task.pairs.bytes():
            whole.update(part)
    return whole.hexdigest()[:16]


def check_fit(base: Path, study: Study) -> None:
    """Raise what does not fit the base, by the names and shapes of its weights, or this machine, before any is read."""
    if study.model.quantised:
        check_device()
    prepare(skeleton(base), study.train, seed=0)


def teach(work: Work) -> None:
    """Fine-tune, and leave the best model in the run folder; nothing is done when it stands there."""
    if work.processes.first:
        if work.folder.model.is_dir():
            return
        work.processes.told({"teach": [work.fewer, work.other]})
    settings = work.study.train
    loaded, saved = _student(work)
    if settings.method != "full" or settings.frozen:
        learning = count(saved)
        work.tell.say(f"teaching {learning.trained:,} of {learning.all:,} weights ({learning.share:.1%})")
    lessons = lessons_of(work.tasks, work.study.mixture, prompter=work.prompter, seed=work.study.seed)
    validate, higher_is_better = _validator(work, loaded)
    own = work.fewer is None and not work.other
    if validate is not None and own and not work.study.mend.is_empty:
        validate = _keeping(work, validate, saved)
    if work.processes.first and own:  # with fewer rows it takes no more
        _plan(work, loaded, lessons)
    processes = shard(loaded.network, processes=work.processes) if work.shard else work.processes
    steps = steps_of(lessons.rows, epochs=settings.epochs, batch_rows=settings.batch_rows)
    what = f" {work.fewer:,} rows" if work.fewer is not None else f" {work.other}" if work.other else ""
    with work.tell.stage(f"teaching{what}", steps) as advance:
        told = 0

        def on_step(step: int, steps: int, loss: float) -> None:
            nonlocal told
            advance(step - told, f"loss {loss:.3f}")
            told = step

        train(
            loaded.network,
            lessons,
            settings,
            seed=work.study.seed,
            folder=work.folder.train,
            precision=loaded.precision,
            validate=validate,
            higher_is_better=higher_is_better,
            on_step=on_step,
            tell=work.tell.say,
            processes=processes,
            base=_base(work),
        )
    if work.shard:
        saved = _made_whole(work, loaded)
    if work.processes.first:
        _leave(work, saved, at=work.folder)


def _student(work: Work) -> tuple[Loaded, Any]:
    """Load the base ready to be taught; return with it the module to save in the end."""
    loaded = _loaded(work)
    return loaded, prepare(loaded.network.module, work.study.train, seed=work.study.seed)


def _loaded(work: Work) -> Loaded:
    return load(
        work.base,
        for_training=True,
        precision=work.study.model.precision,
        quantised=work.study.model.quantised,
        max_prompt_tokens=work.prompter.max_prompt_tokens,
    )


def _base(work: Work) -> Network | None:
    """Load the base to be asked what it expects, where that is taught."""
    if not any(task.soft for task in work.tasks):
        return None
    try:
        base = _loaded(work)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        raise SettingsError(
            "the base does not fit into memory beside the model that learns",
            where="[mend] kl",
            expected="room for the base's weights a second time",
            hint="Leave it out, and replay the right answers ([mend] replay).",
        ) from error
    base.network.module.eval().requires_grad_(False)
    return base.network


def _made_whole(work: Work, shards: Loaded) -> Any:
    """Return, to the first process, a module to save with what `shards` has learnt: what FSDP has cut stays cut."""
    weights = gathered(_learning(shards), keep=work.processes.first)
    if not work.processes.first:
        return None
    loaded, saved = _student(work)
    for name, weight in _learning(loaded).items():
        pour(weight, weights[name])
    return saved


def _learning(loaded: Loaded) -> dict[str, Tensor]:
    return {name: weight for name, weight in loaded.network.module.named_parameters() if weight.requires_grad}


def _plan(work: Work, loaded: Loaded, lessons: Lessons) -> None:
    """Tell how much memory teaching will take, and keep that in the run folder."""
    settings = work.study.train
    rows = math.ceil(settings.batch_rows / work.processes.count)
    made = plan(
        loaded.network,
        lessons,
        rows=rows,
        tokens=settings.token_budget,
        precision=loaded.precision,
        optimizer=settings.optimizer,
        l2_sp=settings.l2_sp > 0 or bool(work.study.mend.l2_sp),
        kl=bool(work.study.mend.kl),
        shards=work.processes.count if work.shard else 1,
    )
    work.folder.write_json("train/memory.json", made.plain())
    work.tell.say(made.told())


def prepare(module: Any, settings: TrainSettings, *, seed: int) -> Any:
    """Make `module` ready to be taught; return the module to save in the end: itself, or the adapter around it.

    Raises:
        InputError: what [train] asks for does not fit this model; its skeleton is enough to tell.
    """
    if settings.gradient_checkpointing:
        recompute(module)
    if settings.method == "full":
        freeze(module, parts=settings.frozen)
        return module
    with torch.random.fork_rng():
        torch.manual_seed(number(seed, "adapter"))
        return _adapted(module, settings)


def _adapted(module: Any, settings: TrainSettings) -> Any:
    from afters.model import adapters

    match settings.method:
        case "ia3":
            return adapters.wrap_ia3(module, **settings.ia3.model_dump())
        case "lora" | "rslora" | "dora":
            return adapters.wrap(module, **settings.lora.model_dump(), method=settings.method)
        case "prompt" | "prefix":
            return adapters.wrap_virtual(module, **settings.virtual.model_dump(), method=settings.method)
        case "full":
            raise AssertionError("all weights learn: nothing is put around them")


def _validator(work: Work, loaded: Loaded) -> tuple[Validate | None, bool]:
    """Return how the model is judged while it learns, and whether more is better."""
    if not any(len(task.validation) for task in work.tasks):
        return None, True
    if work.study.train.keep_best_by == "loss":
        return _by_loss(work, loaded), False
    return _by_primary(work, loaded), work.tasks[0].primary_metric.direction == "higher"


def _by_loss(work: Work, loaded: Loaded) -> Validate:
    pairs = [
        Pair(work.prompter.prompt(example).ids, work.prompter.taught(example))
        for task in work.tasks
        for example in task.validation
    ]
    budget = work.study.train.token_budget
    return lambda step: mean_loss(
        loaded.network, pairs, tokens=budget, precision=loaded.precision, processes=work.processes
    )


def _by_primary(work: Work, loaded: Loaded) -> Validate:
    """Judge by the mean of the tasks' primary scores on their validation rows; a replayed task has none and no say.

    Where scores from 0 to 1 and from 0 to 100 meet, each counts as a share of the best that it can be.
    """
    judging = [task for task in work.tasks if len(task.validation)]
    scales = {task.name: best_value(task.primary_metric) for task in judging}
    if len(set(scales.values())) == 1:
        scales = dict.fromkeys(scales, 1.0)

    def validate(step: int) -> float:
        values = []
        with arithmetic(loaded.device, loaded.precision):
            for task in judging:
                try:
                    judged = evaluate(
                        Answerer(loaded, processes=work.processes),
                        task.validation,
                        label=f"step {step}",
                        decoding=work.study.decoding,
                        metrics=[task.primary_metric],
                    )
                except NoNumber:  # the best step before it is kept
                    return math.nan
                values.append(judged.score(task.primary).value / scales[task.name])
        return sum(values) / len(values)

    return validate


def _keeping(work: Work, validate: Validate, module: Any) -> Validate:
    """Return what validates and then keeps the model as it stands: what was learned against what was lost, on the way.

    One process of several that hold a share each has no whole model to keep; and one that computes no numbers could not
    be asked.
    """

    def judge(step: int) -> float:
        value = validate(step)
        at = work.folder.other(f"step-{step}")
        if work.processes.first and not work.shard and not math.isnan(value) and not at.model.is_dir():
            _leave(work, copy.deepcopy(module), at=at)
        return value

    return judge


def _leave(work: Work, module: Any, *, at: RunFolder) -> None:
    """Save the model as transformers or peft do, whole or not at all, in the precision its base is stored in."""
    at.path.mkdir(parents=True, exist_ok=True)
    draft = at.path / ".model.draft"
    shutil.rmtree(draft, ignore_errors=True)
    with checkpoint.writing("the tuned model", draft=draft):
        _write_model(work, module, draft)
        checkpoint.settle(draft)
        draft.rename(at.model)


def _write_model(work: Work, module: Any, draft: Path) -> None:
    import torch

    settings, config = work.study.train, files.config(work.base)
    if settings.method == "full" or settings.merge:
        stored = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        if settings.merge:
            from afters.model.adapters import merge

            module = merge(module)
        module.to(getattr(torch, stored)).save_pretrained(draft)
    else:
        from afters.model.adapters import save

        save(module, draft, base=work.study.model.base, weights=files.weights_hash(work.base))
    for name in files.TOKENIZER_FILES:
        if (work.base / name).is_file():
            shutil.copyfile(work.base / name, draft / name)
