"""The demo's study: the embedded base, and support chats written from a seed."""

from __future__ import annotations

from pathlib import Path

from afters.data.demo import write
from afters.data.task import TaskSettings
from afters.study.settings import BeforeSettings, JudgeSettings, ModelSettings, Study
from afters.train.settings import TrainSettings


def write_demo(folder: Path, *, seed: int) -> Study:
    """Write the demo's rows into `folder` and return the study that teaches and judges them."""
    files = write(folder, seed=seed)
    return Study(
        name="demo",
        seed=seed,
        tasks=(
            TaskSettings(
                name="support-chats",
                train=files["train"].name,
                validation=files["validation"].name,
                test=files["test"].name,
                template="support-chats",
                metrics=("rouge", "facts", "bleu"),
                primary="rouge1",
                smallest_effect=0.05,
            ),
        ),
        # Two solved chats stand before the question: longer than what a T5 is asked by default, not than it can read.
        model=ModelSettings(max_prompt_tokens=1024),
        before=BeforeSettings(shots=(0, 1, 2)),
        train=TrainSettings(
            epochs=1,
            batch_rows=4,
            learning_rate=0.018,
            scale_parameter=True,
            warmup=0.03,
            schedule="linear",
            betas=(0.9, 0.98),
            validations=2,
            keep_best_by="loss",
        ),
        judge=JudgeSettings(max_new_tokens=80),
    )
