"""A tokenizer learnt from a study's own text: byte-level pieces, cased, every digit on its own; nothing is unknown.

The same texts in the same order give the same tokenizer, byte for byte. `design/from-scratch.md` says why there are
no unigram pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from afters.errors import SettingsError

PAD, END = "<pad>", "</s>"

SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))
"""What stands for the holes of a text, called as T5 calls them."""


def learn(texts: Iterable[str], *, size: int, encoder_decoder: bool) -> Any:
    """Return a transformers tokenizer of at most `size` pieces, control tokens included, by byte-pair merging.

    Raises:
        SettingsError: `size` does not even hold the bytes and the control tokens.
    """
    from transformers import PreTrainedTokenizerFast

    sentinels = SENTINELS if encoder_decoder else ()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    least = len(alphabet) + len(sentinels) + 2
    if size < least:
        raise SettingsError(
            "a vocabulary too small for the bytes and the control tokens",
            where="[model.tokenizer] vocabulary",
            expected=f"at least {least}",
            received=str(size),
        )
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(sentinels),
        special_tokens=[PAD, END],
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    if encoder_decoder:
        made.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, made.token_to_id(END))]
        )
    named = {"pad_token": PAD, "eos_token": END, "additional_special_tokens": list(sentinels)}
    return PreTrainedTokenizerFast(tokenizer_object=made, clean_up_tokenization_spaces=False, **named)
