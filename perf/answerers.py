"""Somebody who answers, in a process of its own: it holds one model, and answers the rows it is told.

    python perf/answerers.py '{"who": "afters", "task": "write", "model": "…", "rows": "….json", "options": {}}'

Reads one JSON object a line (`rows`: which rows), and answers each with one: seconds, answers, the peak of resident
memory. The first answer, unasked, says that it stands. Rows are token ids on all sides: no tokenizer is timed.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

NEW_TOKENS = 64

Row = dict[str, Any]
"""prompt, and choices where it has some, as token ids."""


class Ours:
    """Afters, as a study uses it."""

    def __init__(self, model: Path, rows: list[Row], options: dict[str, Any]) -> None:
        from afters.model.answering import TOKEN_BUDGET, Answerer
        from afters.model.load import load

        loaded = load(model, precision=options.get("precision", "fp32"))
        prompter: Any = _Encoded(rows, loaded.prompter)
        self.answerer = Answerer(
            replace(loaded, prompter=prompter), token_budget=options.get("token_budget", TOKEN_BUDGET)
        )

    def answer(self, rows: list[int], task: str) -> list[Any]:
        from afters.records import Decoding, Example

        asked = [Example(str(row), "", "", "", "", "", ("",), choices=("",)) for row in rows]
        if task == "write":
            batches = list(self.answerer.generate(asked, Decoding(max_new_tokens=NEW_TOKENS)))
            made: dict[str, Any] = {one.example: one.answers[0] for batch in batches for one in batch}
        else:
            batches = list(self.answerer.loglikelihood(asked))
            made = {one.example: [c.log_probability for c in one.choices] for batch in batches for one in batch}
        return [made[example.id] for example in asked]


class _Encoded:
    """A Prompter whose rows are encoded already."""

    def __init__(self, rows: list[Row], prompter: Any) -> None:
        self._rows, self._prompter = rows, prompter
        self.encoder_decoder, self.end_ids = prompter.encoder_decoder, prompter.end_ids

    def prompt(self, example: Any) -> Any:
        from afters.model.prompt import EncodedPrompt

        return EncodedPrompt(tuple(self._rows[int(example.id)]["prompt"]), 0, 0)

    def choices(self, example: Any) -> tuple[tuple[int, ...], ...]:
        return tuple(map(tuple, self._rows[int(example.id)]["choices"]))

    def text(self, ids: Sequence[int], **_: Any) -> list[int]:
        return list(ids)

    def stops(self, ids: Sequence[int], stop: Sequence[str]) -> bool:
        return False


class Generate:
    """transformers' own `generate`, in batches of 16 rows as they come, or sorted by length."""

    def __init__(self, model: Path, rows: list[Row], options: dict[str, Any]) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[options["precision"]]
        self.module = AutoModelForSeq2SeqLM.from_pretrained(model, dtype=kind).eval()
        self.rows, self.sorted, self.batch = rows, options["sorted"], options["batch"]

    def answer(self, rows: list[int], task: str) -> list[Any]:
        import torch

        order = sorted(rows, key=lambda row: -len(self.rows[row]["prompt"])) if self.sorted else rows
        made: dict[int, list[int]] = {}
        for first in range(0, len(order), self.batch):
            batch = order[first : first + self.batch]
            longest = max(len(self.rows[row]["prompt"]) for row in batch)
            ids = torch.zeros((len(batch), longest), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for place, row in enumerate(batch):
                prompt = self.rows[row]["prompt"]
                ids[place, : len(prompt)], mask[place, : len(prompt)] = torch.tensor(prompt), 1
            with torch.inference_mode():
                out = self.module.generate(
                    input_ids=ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False, num_beams=1
                )
            made.update((row, _until_end(written)) for row, written in zip(batch, out[:, 1:].tolist(), strict=True))
        return [made[row] for row in rows]


def _until_end(ids: list[int], end: int = 1) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


class Harness:
    """lm-eval's hf backend, at the door where its own tokenizer has done its work."""

    def __init__(self, model: Path, rows: list[Row], options: dict[str, Any]) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

        seq2seq = options["backend"] == "seq2seq"
        kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[options["precision"]]
        module = (AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM).from_pretrained(model, dtype=kind)
        tokenizer = AutoTokenizer.from_pretrained(model)
        self.harness = HFLM(
            module, backend=options["backend"], tokenizer=tokenizer, batch_size=options["batch"], device="cpu"
        )
        self.rows = rows

    def answer(self, rows: list[int], task: str) -> list[Any]:
        asked = [
            ((json.dumps(self.rows[row]["prompt"]), str(number)), self.rows[row]["prompt"], list(choice))
            for row in rows
            for number, choice in enumerate(self.rows[row]["choices"])
        ]
        told = iter(self.harness._loglikelihood_tokens(asked, disable_tqdm=True))
        return [[next(told)[0] for _ in self.rows[row]["choices"]] for row in rows]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    told = json.loads(sys.argv[1])
    answers = sys.stdout
    sys.stdout = sys.stderr  # what others print is no answer
    kind: Any = {"afters": Ours, "generate": Generate, "lm-eval": Harness}[told["who"]]
    asked = kind(Path(told["model"]), json.loads(Path(told["rows"]).read_text()), told["options"])
    print(json.dumps({"peak_mb": peak_mb()}), file=answers, flush=True)
    for line in sys.stdin:
        rows = json.loads(line)["rows"]
        began = time.perf_counter()
        made = asked.answer(rows, told["task"])
        answer = {"seconds": time.perf_counter() - began, "answers": made, "peak_mb": peak_mb()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
