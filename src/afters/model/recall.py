"""Recall: what a model was asked before is taken from the cache, by a key that holds all that decides an answer.

A key is a hash of three things:

- the model: hashes of weights, tokenizer and adapter; precision, device, and kind of attention; in 4 bits, the version
  of bitsandbytes;
- the code: Afters' version and source, as far as it answers, and the versions of the libraries that compute;
- the question: written or scored, the decoding, the token ids of the prompt and of the choices.

Where an answer's last bits count, the key also holds what moves them: the whole batch, the row's place in it, and the
processor. They count where log-probabilities are told, so that equal studies give equal verdicts whatever is in the
cache; and in all that is not computed in fp32, where they move whole words. Only a text written in fp32 belongs to its
prompt alone (`tests/model/test_answering.py`). What is sampled is drawn for an Example, whose id then counts too.

Not covered: two processors with the same instructions, as `torch.backends.cpu` names them, are taken for one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from afters import __version__, records, seeds
from afters.model.cache import AnswerCache
from afters.model.load import Loaded
from afters.model.prompt import EncodedPrompt
from afters.records import Decoding, Prediction

LIBRARIES = ("torch", "transformers", "tokenizers", "peft")
"""Another version of these may compute or spell an answer otherwise, and the page names those that a run had."""

PACKS = "bitsandbytes"
"""What computes with weights in 4 bits; not installed where none are."""

NOT_THE_MODELS = ("example", "prompt_hash", "prompt_tokens", "shots_used", "tokens_cut", "from_cache")
"""What of a Prediction its Example and its prompt say; all else is the model's answer, and kept."""


class Question(NamedTuple):
    """A row as it is asked."""

    example: str
    prompt: EncodedPrompt
    choices: Sequence[Sequence[int]] = ()


class Recall:
    """One model's answers, from the cache where all of a batch is there."""

    def __init__(self, loaded: Loaded, cache: AnswerCache | None) -> None:
        assert cache is None or not loaded.for_training, "weights that change: their hash is not theirs any more"
        self._loaded, self._cache = loaded, cache

    def answers(
        self, batch: Sequence[Question], ask: Callable[[], list[Prediction]], *, decoding: Decoding | None = None
    ) -> list[Prediction]:
        """Return a batch's answers: known ones when all are, else what `ask` gives, which is then known.

        Args:
            batch: the rows, in the order in which they are computed.
            ask: computes the whole batch.
            decoding: how texts are written; None: choices are scored.
        """
        if self._cache is None:
            return ask()
        keys = dict(zip((one.example for one in batch), self._keys(batch, decoding), strict=True))
        known = self._cache.find(keys.values())
        if all(key in known for key in keys.values()):
            return [_prediction(known[keys[one.example]], one) for one in batch]
        made = ask()
        self._cache.keep({keys[one.example]: _text(one) for one in made})
        return made

    def _keys(self, batch: Sequence[Question], decoding: Decoding | None) -> list[bytes]:
        rows = [[list(one.prompt.ids), [list(ids) for ids in one.choices]] for one in batch]
        asked: dict[str, Any] = {"model": self._model(), "code": code(), "kind": "loglikelihood"}
        if decoding is not None:
            asked |= {"kind": "generate", "decoding": decoding.plain()}
        sampled = decoding is not None and decoding.method == "sample"
        if sampled:
            asked["drawn for"] = [one.example for one in batch]
        alone = decoding is not None and not sampled and self._loaded.identity["precision"] == "fp32"
        if not alone:
            asked |= {"batch": rows, "processor": processor(self._loaded.device)}
            rows = [[place, row] for place, row in enumerate(rows)]
        shared = _hash(asked).hex()
        return [_hash([shared, row]) for row in rows]

    def _model(self) -> dict[str, str]:
        """Return what tells this model from others; how long a prompt may be, its ids say."""
        told = {name: value for name, value in self._loaded.identity.items() if name != "max_prompt_tokens"}
        return told | ({PACKS: version(PACKS)} if "4bit" in told["precision"] else {})


@once
def code() -> str:
    """Return the hash of all that computes, so that a checkout that is worked on never gets what it answered before."""
    digest = hashlib.sha256(repr([__version__, *((name, version(name)) for name in LIBRARIES)]).encode())
    for path in (Path(seeds.__file__), Path(records.__file__), *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def processor(device: torch.device) -> str:
    """Return what computes, as far as it moves last bits."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def _hash(content: object) -> bytes:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _text(made: Prediction) -> str:
    return json.dumps({name: value for name, value in asdict(made).items() if name not in NOT_THE_MODELS})


def _prediction(text: str, asked: Question) -> Prediction:
    prompt = asked.prompt
    return Prediction.read(
        {
            **json.loads(text),
            "example": asked.example,
            "prompt_hash": prompt.hash,
            "prompt_tokens": len(prompt.ids),
            "shots_used": prompt.shots_used,
            "tokens_cut": prompt.tokens_cut,
            "from_cache": True,
        }
    )
