"""The tokenizer of afters-tiny: byte-level pieces, lossless, and kind to copying.

A name must look the same wherever it stands, or copying it means learning every name twice. So every line begins
with a space that the reader never sees (a word has one piece, at the start of a line and inside it), every digit is
its own piece and never carries a space, and every punctuation mark and newline is a piece of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(32))
"""T5 has 100; texts of at most 512 pieces, with holes of three on average, use fewer than 32."""

PIECE = r"\n| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s"
"""What merging may not cross: a newline; a word with the space before it; a digit; a mark; any other space."""


def train(texts: Iterable[str], *, size: int) -> Tokenizer:
    """Return a tokenizer of `size` pieces, special ones included, learnt by byte-pair merging from `texts`.

    The same texts in the same order give the same file.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(" "), normalizers.Replace("\n", "\n ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace("\n ", "\n"), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SENTINELS),
        special_tokens=[PAD, END, UNKNOWN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # A hole in a text swallows the spaces around it; the piece after it gets its own space from the normalizer.
    tokenizer.add_special_tokens([AddedToken(name, lstrip=True, rstrip=True, special=True) for name in SENTINELS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, as `AutoTokenizer` reads them."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=list(SENTINELS),
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
    wrapped.save_pretrained(folder)
    # As small as it goes: the file counts towards the size of the whole.
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
