"""The one loop: full or adapter, encoder-decoder or decoder-only.

Step s is a pure function of the weights, the optimizer's state, (seed, s) and the settings: its rows come from
`order`, its dropout from a stream of its own. So a run that was killed goes on from its last checkpoint to the
same weights, bit for bit, on the same machine. SIGTERM ends it between two micro-batches, or at once while the model
is being judged, with a checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

import numpy as np
import torch
from torch import Tensor

from afters.errors import AftersError, RunFolderError
from afters.model.load import Precision
from afters.model.network import Network, Pair
from afters.model.parallel import ALONE, Processes
from afters.model.shards import whole
from afters.seeds import number
from afters.train import checkpoint
from afters.train.lessons import Lessons, heaviest
from afters.train.loss import Sums, backward, label_tokens, micro_batches
from afters.train.optimizer import make_optimizer, pull_back, set_rate
from afters.train.order import Order
from afters.train.schedule import share_of_rate
from afters.train.settings import TrainSettings
from afters.train.shares import share_out
from afters.train.shortage import in_shards, is_shortage, smaller
from afters.train.stop import Stop, Stopped, noted

CHECKPOINT_SECONDS = 60.0
"""A checkpoint is due after this long, or after twenty times what the last one took, whichever is later."""

BAD_STEPS = 5
"""So many steps in a row without a finite gradient end the run."""


@dataclass(frozen=True)
class Trained:
    """What a finished run leaves; the network holds the weights of `best_step`."""

    steps: int
    best_step: int
    validations: Mapping[int, float]
    skipped: int


def train(
    network: Network,
    lessons: Lessons,
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
    precision: Precision,
    validate: Callable[[int], float] | None = None,
    higher_is_better: bool = True,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    tell: Callable[[str], None] = lambda line: None,
    processes: Processes = ALONE,
    base: Network | None = None,
) -> Trained:
    """Teach the weights of `network` that require a gradient, and leave the best ones in it.

    Args:
        network: the model; weights in fp32.
        lessons: the teaching rows as token ids; only answers are taught.
        settings: every knob.
        seed: of order and dropout.
        folder: gets `steps.jsonl` and `checkpoints/`; a run found there is gone on with.
        precision: of the arithmetic.
        validate: judges the network as it stands after a step; the best step by it is kept. None: the last is.
        higher_is_better: whether `validate` gives a score or a loss.
        on_step: is told the step, how many there are, and the loss in nats per answer token.
        tell: is told, in a line each, what does not go as planned: a damaged checkpoint, a skipped step, too little
            memory.
        processes: who computes a step together. Each calls this with the same arguments; only the first writes.
            They may be the Shards of `network`.
        base: what soft pairs are taught: what it expects. It learns nothing.
    """
    return _Run(
        *(network, lessons, settings, seed, folder, precision, validate, higher_is_better, on_step, tell, processes),
        base,
    ).go()


class _Run:
    """The state of one run: it lives as long as `train` runs."""

    def __init__(
        self,
        network: Network,
        lessons: Lessons,
        settings: TrainSettings,
        seed: int,
        folder: Path,
        precision: Precision,
        validate: Callable[[int], float] | None,
        higher_is_better: bool,
        on_step: Callable[[int, int, float], None],
        tell: Callable[[str], None],
        processes: Processes,
        base: Network | None,
    ) -> None:
        self.base = base
        self.network, self.lessons, self.settings, self.seed = network, lessons, settings, seed
        self.folder, self.precision, self.validate = folder, precision, validate
        self.sign = 1.0 if higher_is_better else -1.0
        self.on_step, self.tell, self.processes = on_step, tell, processes
        self.weights = {name: weight for name, weight in network.module.named_parameters() if weight.requires_grad}
        self.optimizer = make_optimizer([*self.weights.values()], settings=settings)
        self.order = Order(
            lessons,
            seed=seed,
            epochs=settings.epochs,
            batch_rows=settings.batch_rows,
            window_steps=settings.window_steps,
        )
        self.beginnings: dict[Tensor, Tensor] = {
            weight: weight.detach().clone() for weight in self.weights.values() if settings.l2_sp
        }
        self.due = _validation_steps(self.order.steps, settings.validations)
        self.progress, self.best = self._resume()
        self.contents: checkpoint.Contents | None = None  # of the next checkpoint, while the model is judged
        self.tokens = self.progress.token_budget or settings.token_budget
        self.sums: Sums | None = None  # of the step at hand
        self.saved_step = self.progress.step or None
        self.saved_at, self.save_seconds = time.monotonic(), 0.0
        self.stop = Stop()

    def go(self) -> Trained:
        if not self.progress.done:
            logged = self.progress.step - (self.progress.unjudged is not None)
            path = self.folder / "steps.jsonl" if self.processes.first else None
            with noted() as self.stop, _log(path, after=logged) as log:
                try:
                    self._go_on(log)
                except Stopped:
                    self._save(log)
                    raise
        if self.progress.best_step is not None:
            self.processes.fill(self.weights, self.best)
        self.network.module.eval()
        best_step = self.progress.best_step if self.progress.best_step is not None else self.progress.step
        return Trained(self.progress.step, best_step, self.progress.validations, self.progress.skipped)

    def _resume(self) -> tuple[checkpoint.Progress, dict[str, Tensor] | None]:
        """Take up the newest checkpoint; every process reads it, and only the first keeps the best weights."""
        progress, best = checkpoint.resume(
            self.folder / "checkpoints", weights=self.weights, optimizer=self.optimizer, tell=self.tell
        )
        if progress.step != self.processes.told(progress.step):
            raise RunFolderError(
                "the processes do not see the same checkpoints",
                where=str(self.folder),
                hint="Put the run folder on a file system that all machines see.",
            )
        return progress, best if self.processes.first else None

    def _go_on(self, log: TextIO) -> None:
        if self.progress.unjudged is not None:
            self._end_step(self.progress.unjudged, log)
        else:
            self._try_longest()
        while not self.progress.done:
            self._step(log)

    def _try_longest(self) -> None:
        """Run the longest rows once without an update, so that a lack of memory shows now and not hours later."""
        longest, _ = heaviest(self.lessons, rows=self.settings.batch_rows)
        self._gradient(longest, step=-1)
        self.optimizer.zero_grad()

    def _gradient(self, pairs: Sequence[Pair], *, step: int) -> float:
        """Compute a step's gradient and return its loss; where memory runs out, from the start in smaller pieces.

        The update is the same but for rounding, and for which units dropout silences: masks are drawn piece by piece.
        """
        shares = share_out(pairs, processes=self.processes.count)
        while True:
            loss, short = self._own_gradient(shares, step=step, total=label_tokens(pairs))
            cut, short = self.processes.any(loss is None, short)
            if cut:
                self.stop.asked = True
                raise Stopped
            if not short:
                self.processes.add_gradients([*self.weights.values()])
                if self.sums is not None:
                    self.sums.gather(self.processes)
                return float(sum(self.processes.gathered(loss)))
            self._compute_less_at_once(
                shares, during=f"step {step + 1}" if step >= 0 else "the trial of the longest rows"
            )

    def _own_gradient(self, shares: Sequence[Sequence[Pair]], *, step: int, total: int) -> tuple[float | None, bool]:
        """Compute this process's share of a step; return its part of the loss, None if cut, and if memory ran out."""
        batches = [sum(1 for _ in micro_batches(self.network, pairs, tokens=self.tokens)) for pairs in shares]
        self.sums = Sums(len(self.lessons.tasks)) if len(self.lessons.tasks) > 1 else None
        try:
            with self._chance(step), self.processes.together():
                return backward(
                    self.network,
                    shares[self.processes.rank],
                    tokens=self.tokens,
                    precision=self.precision,
                    smoothing=self.settings.label_smoothing,
                    base=self.base,
                    total=total,
                    passes=self.processes.passes(batches),
                    sums=self.sums,
                    before_each=self._heed,
                ), False
        except Stopped:
            return None, False  # the others are waiting to hear of it
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            if self.processes.in_step:
                raise in_shards(self.tokens) from error
            return math.nan, True

    def _heed(self) -> None:
        """Raise Stopped when the run is asked to end; in processes that go in step, in all of them at once."""
        if self.processes.agreed(self.stop.asked):
            raise Stopped

    def _compute_less_at_once(self, shares: Sequence[Sequence[Pair]], *, during: str) -> None:
        self.optimizer.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        fewer = smaller(self.network, shares, tokens=self.tokens)
        self.tell(
            f"memory ran out in {during}: it is done again with {fewer:,} tokens at once instead of {self.tokens:,}, "
            "and so is all that follows"
        )
        self.tokens = self.progress.token_budget = fewer

    def _step(self, log: TextIO) -> None:
        began = time.perf_counter()
        step = self.progress.step
        places = self.order.places(step)
        share = share_of_rate(step, steps=self.order.steps, warmup=self.settings.warmup, curve=self.settings.schedule)
        loss = self._gradient(self.lessons.pairs(np.array(places, dtype=np.int64)), step=step)
        norm = whole(torch.nn.utils.clip_grad_norm_(self.weights.values(), self.settings.clip)).item()
        self._update(share, finite=math.isfinite(loss) and math.isfinite(norm))
        self.progress.step += 1
        line: dict[str, Any] = {
            "step": self.progress.step,
            "rows": len(places),
            "loss": loss,
            "learning_rate": share * self.settings.learning_rate,
            "gradient_norm": norm,
            "seconds": time.perf_counter() - began,
        }
        if self.sums is not None:
            line["tasks"] = self.sums.told(self.lessons.tasks)
        self.on_step(self.progress.step, self.order.steps, loss)
        if self.progress.bad_in_a_row >= BAD_STEPS:
            self._give_up(line, log)
        self._end_step(line, log)

    def _end_step(self, line: dict[str, Any], log: TextIO) -> None:
        """Judge where it is due, log, save; a run that is stopped while it judges does all of this again."""
        if self.progress.step in self.due:
            self.progress.unjudged = line
            self.contents = self._gather()
            judged = self._judge()
            self.progress.unjudged = None
            line = {**line, "validation": judged}
        self.progress.done = self.progress.step >= self.order.steps or self._out_of_patience()
        log.write(json.dumps(line) + "\n")
        log.flush()
        self._save_when_due(log)
        self.contents = None

    def _update(self, share: float, *, finite: bool) -> None:
        """Move the weights; a gradient that is not finite moves nothing and is counted."""
        if finite:
            set_rate(self.optimizer, share=share, settings=self.settings)
            self.optimizer.step()
            if self.beginnings:
                pull_back(self.optimizer, self.beginnings, strength=self.settings.l2_sp)
            self.progress.bad_in_a_row = 0
        else:
            self.progress.skipped += 1
            self.progress.bad_in_a_row += 1
            self.tell(f"step {self.progress.step + 1} is skipped: its loss or gradient is not finite")
        self.optimizer.zero_grad()

    def _judge(self) -> float | None:
        if self.validate is None:
            return None
        self.network.module.eval()
        with self.processes.standing():
            if any(self.processes.any(self.stop.asked)):
                self.stop.asked = True
            with self.stop.at_once():
                value = self.validate(self.progress.step)
        earlier = [self.sign * known for known in self.progress.validations.values() if not math.isnan(known)]
        self.progress.validations[self.progress.step] = value
        if not math.isnan(value) and all(self.sign * value > known for known in earlier):
            self.progress.best_step = self.progress.step
            if self.processes.first and self.contents is not None:
                self.best = {name: weight.clone() for name, weight in self.contents.weights.items()}
        return value

    def _out_of_patience(self) -> bool:
        patience, best = self.settings.patience, self.progress.best_step
        if patience is None or best is None:
            return False
        return sum(step > best for step in self.progress.validations) >= patience

    def _give_up(self, line: dict[str, Any], log: TextIO) -> NoReturn:
        """End the run after too many bad steps in a row, with a checkpoint of the step before them."""
        log.write(json.dumps(line) + "\n")
        log.flush()
        # No bad step has touched weights or moments, so they are what they were then.
        good, skipped = self.progress.step - BAD_STEPS, self.progress.skipped - BAD_STEPS
        self.progress = replace(self.progress, step=good, skipped=skipped, bad_in_a_row=0)
        self._save(log)
        raise AftersError(
            f"training stopped at step {good + BAD_STEPS}: the gradient was not finite {BAD_STEPS} times in a row\n"
            f"  The last good state, after step {good}, is in the checkpoints. Lower [train] learning_rate, or look "
            "for broken rows."
        )

    def _save_when_due(self, log: TextIO) -> None:
        waited = time.monotonic() - self.saved_at
        due = self.progress.step in self.due or self.progress.done
        if due or self.processes.agreed(waited > max(CHECKPOINT_SECONDS, 20 * self.save_seconds)):
            self._save(log)

    def _save(self, log: TextIO) -> None:
        """Write a checkpoint, unless one of this step or of a later one stands."""
        if self.saved_step is not None and self.saved_step >= self.progress.step:
            return
        began = time.monotonic()
        contents = self.contents or self._gather()
        if self.processes.first:
            os.fsync(log.fileno())
            checkpoint.save(self.folder / "checkpoints", self.progress, contents, best=self.best)
        self.saved_step, self.saved_at = self.progress.step, time.monotonic()
        self.save_seconds = self.saved_at - began

    def _gather(self) -> checkpoint.Contents:
        """Return what a checkpoint holds now; a run that is cut while it judges can no longer ask the others for it."""
        return checkpoint.gather(weights=self.weights, optimizer=self.optimizer, keep=self.processes.first)

    @contextmanager
    def _chance(self, step: int) -> Iterator[None]:
        """Give dropout the stream of its step, and the process its own random state back afterwards."""
        self.network.module.train()
        with torch.random.fork_rng():
            # One process alone draws what the first of several draws.
            others = () if self.processes.first else (self.processes.rank,)
            torch.manual_seed(number(self.seed, "dropout", step, *others))
            yield


def _validation_steps(steps: int, times: int) -> frozenset[int]:
    """Return the steps after which the model is judged: evenly spread, the last one included."""
    return frozenset(max(1, round(steps * (index + 1) / times)) for index in range(times))


@contextmanager
def _log(path: Path | None, *, after: int) -> Iterator[TextIO]:
    """Open the log to go on after step `after`: what an interrupted run wrote beyond it is done again. None: no log."""
    if path is None:
        with open(os.devnull, "w") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = []
    if path.is_file():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n") and json.loads(line)["step"] <= after:
                kept.append(line)
    draft = path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write("".join(kept))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    with path.open("a") as file:
        yield file
