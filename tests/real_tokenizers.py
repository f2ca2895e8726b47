"""Real tokenizers from the development data, read without the libraries that their files are usually read with."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers


def gpt2(data: Path) -> Any:
    """GPT-2's tokenizer."""
    from transformers import GPT2TokenizerFast

    folder = data / "weights" / "gpt2"
    return GPT2TokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


def llama_2(data: Path) -> Any:
    """Llama 2's tokenizer, with 32,000 pieces, in the layout that transformers converts it to."""
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(_llama_2(data / "weights" / "llama32k" / "tokenizer.model"))
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


@cache
def _llama_2(path: Path) -> str:
    pieces = list(_pieces(path.read_bytes()))
    places = {piece: place for place, (piece, _) in enumerate(pieces)}
    merges = []
    for piece, score in pieces:
        cuts = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
        known = [(left, right) for left, right in cuts if left in places and right in places]
        merges += [(-score, places[left], places[right], left, right) for left, right in known]
    ranked = [(left, right) for *_, left, right in sorted(merges)]
    made = Tokenizer(models.BPE(places, ranked, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    return made.to_str()


def _pieces(model: bytes) -> Iterator[tuple[str, float]]:
    """Yield each piece of a sentencepiece model with its score: fields 1 and 2 of the message's fields 1."""
    for field, piece in _fields(model):
        if field == 1:
            inner = dict(_fields(piece))
            yield inner[1].decode(), struct.unpack("<f", inner[2])[0] if 2 in inner else 0.0


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of every field of a protocol buffer; numbers are left out."""
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        match key & 7:
            case 0:
                _, place = _number(message, place)
                continue
            case 1:
                size = 8
            case 2:
                size, place = _number(message, place)
            case _:
                size = 4
        yield key >> 3, message[place : place + size]
        place += size


def _number(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
