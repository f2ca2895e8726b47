"""A trainer in a process of its own: it holds one model, and teaches it the rows it is told, as often as it is told.

    python perf/trainers.py '{"trainer": "Seq2SeqTrainer", "model": "…", "rows": "….json", "options": {"bf16": true}}'

Reads one JSON object a line (`rows`: which rows to teach), and answers each with one: the seconds from the first step's
beginning to the last one's end, the steps, the peak of resident memory. The first answer, unasked, says that it stands.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BATCH = 16
"""Rows in a step, for everyone."""

CLIP, RATE, WARMUP = 1.0, 1e-3, 0.05

Row = dict[str, list[int]]
"""prompt and answer, as token ids."""


class Ours:
    """Afters, as `afters run` uses it."""

    def __init__(self, model: Path, rows: list[Row], options: dict[str, Any]) -> None:
        from afters.model.load import load
        from afters.model.network import Pair

        self.pairs = [Pair(row["prompt"], row["answer"]) for row in rows]
        self.loaded = load(model, for_training=True, precision=options.pop("precision", "bf16"))
        self.options = options

    def teach(self, rows: list[int], *, seed: int) -> tuple[float, int]:
        from afters.train.lessons import Pairs
        from afters.train.loop import train
        from afters.train.settings import TrainSettings

        with tempfile.TemporaryDirectory() as folder:
            made = train(
                self.loaded.network,
                Pairs(self.pairs[row] for row in rows),
                TrainSettings(
                    epochs=1,
                    batch_rows=BATCH,
                    learning_rate=RATE,
                    warmup=WARMUP,
                    schedule="constant",
                    clip=CLIP,
                    validations=1,
                    **self.options,
                ),
                seed=seed,
                folder=Path(folder),
                precision=self.loaded.precision,
            )
            lines = (Path(folder) / "steps.jsonl").read_text().splitlines()
        return sum(json.loads(line)["seconds"] for line in lines), made.steps

    @property
    def module(self) -> Any:
        return self.loaded.network.module


class Peer:
    """A trainer of transformers or TRL, told the same rows as token ids."""

    def __init__(self, model: Path, rows: list[Row], options: dict[str, Any], *, trainer: str) -> None:
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

        self.rows, self.trainer = rows, trainer
        auto = AutoModelForSeq2SeqLM if trainer == "Seq2SeqTrainer" else AutoModelForCausalLM
        attention = options.pop("attn_implementation", None)
        self.module = auto.from_pretrained(model, **({"attn_implementation": attention} if attention else {}))
        self.options = options

    def teach(self, rows: list[int], *, seed: int) -> tuple[float, int]:
        from transformers import TrainerCallback

        class Clock(TrainerCallback):
            began = ended = 0.0

            def on_step_begin(self, *_: Any, **__: Any) -> None:
                self.began = self.began or time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                self.ended = time.perf_counter()

        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            made = self._made([self.rows[row] for row in rows], folder, seed)
            made.add_callback(clock)
            made.train()
        return clock.ended - clock.began, made.state.global_step

    def _made(self, rows: list[Row], folder: str, seed: int) -> Any:
        import transformers
        from datasets import Dataset

        common = {
            "output_dir": folder,
            "num_train_epochs": 1,
            "per_device_train_batch_size": BATCH,
            "learning_rate": RATE,
            "warmup_steps": WARMUP,
            "lr_scheduler_type": "constant_with_warmup",
            "max_grad_norm": CLIP,
            "save_strategy": "no",
            "report_to": "none",
            "logging_strategy": "no",
            "use_cpu": True,
            "dataloader_pin_memory": False,
            "disable_tqdm": True,
            "seed": seed,
        }
        if self.trainer == "SFTTrainer":
            import trl

            whole = [
                {
                    "input_ids": [*row["prompt"], *row["answer"]],
                    "completion_mask": [0] * len(row["prompt"]) + [1] * len(row["answer"]),
                }
                for row in rows
            ]
            return trl.SFTTrainer(
                self.module,
                trl.SFTConfig(**{**common, **self.options}),
                train_dataset=Dataset.from_list(whole),
                processing_class=transformers.AutoTokenizer.from_pretrained(self.module.config._name_or_path),
            )
        seq2seq = self.trainer == "Seq2SeqTrainer"
        kind = transformers.Seq2SeqTrainer if seq2seq else transformers.Trainer
        settings = transformers.Seq2SeqTrainingArguments if seq2seq else transformers.TrainingArguments
        return kind(
            self.module,
            settings(**{**common, **self.options}),
            train_dataset=Dataset.from_list([_labelled(row, seq2seq=seq2seq) for row in rows]),
            data_collator=_Padded(int(self.module.config.pad_token_id or 0)),
        )


def _labelled(row: Row, *, seq2seq: bool) -> Row:
    if seq2seq:
        return {"input_ids": row["prompt"], "labels": row["answer"]}
    ids = [*row["prompt"], *row["answer"]]
    return {"input_ids": ids, "labels": [-100] * len(row["prompt"]) + row["answer"]}


class _Padded:
    """Pads a batch on the right: labels by -100, so that padding is not taught."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: list[Row]) -> dict[str, Any]:
        import torch

        widths = {name: max(len(row[name]) for row in rows) for name in ("input_ids", "labels")}
        fills = {"input_ids": self.pad, "labels": -100}
        batch = {
            name: torch.tensor([row[name] + [fills[name]] * (widths[name] - len(row[name])) for row in rows])
            for name in widths
        }
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        batch["attention_mask"] = (torch.arange(widths["input_ids"])[None] < lengths[:, None]).long()
        return batch


def mean_loss(module: Any, rows: list[Row]) -> float:
    """The mean loss in nats over all answer tokens, by transformers' own forward pass in fp32."""
    import torch

    module.eval()
    total = 0.0
    for row in rows:
        batch = _Padded(0)([_labelled(row, seq2seq=module.config.is_encoder_decoder)])
        with torch.no_grad():
            total += module(**batch).loss.item() * len(row["answer"])
    return total / sum(len(row["answer"]) for row in rows)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    told = json.loads(sys.argv[1])
    rows = json.loads(Path(told["rows"]).read_text())
    answers = sys.stdout
    sys.stdout = sys.stderr  # what trainers print is no answer
    if told["trainer"] == "afters":
        taught: Ours | Peer = Ours(Path(told["model"]), rows, told["options"])
    else:
        taught = Peer(Path(told["model"]), rows, told["options"], trainer=told["trainer"])
    print(json.dumps({"peak_mb": peak_mb()}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        seconds, steps = taught.teach(asked["rows"], seed=asked["seed"])
        answer = {"seconds": seconds, "steps": steps, "peak_mb": peak_mb()}
        if "judge" in asked:
            answer["loss"] = mean_loss(taught.module, [rows[row] for row in asked["judge"]])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
