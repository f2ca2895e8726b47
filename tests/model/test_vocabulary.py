from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import SENTENCES
from transformers import AutoTokenizer

from afters.errors import SettingsError
from afters.model.prompt import Prompter
from afters.model.vocabulary import SENTINELS, learn

TEXTS = [*SENTENCES, "In 2024, 1234 parcels were late.\n\n  Naïve 🙂 Straße\tÜber"]


@pytest.mark.parametrize("encoder_decoder", [True, False])
def test_every_text_is_read_back_as_it_was(encoder_decoder: bool, tmp_path: Path) -> None:
    learn(TEXTS, size=420, encoder_decoder=encoder_decoder).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*TEXTS, "  two  spaces ", "\n\n", "never seen: 漢字"]:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(ids) == text


def test_every_digit_is_a_piece_of_its_own_and_case_is_kept() -> None:
    tokenizer = learn(["2024 2024 2024 The THE the"] * 9, size=400, encoder_decoder=False)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("2024", add_special_tokens=False).input_ids)
    assert pieces == ["2", "0", "2", "4"]
    assert len({tuple(tokenizer(word).input_ids) for word in ("the", "The", "THE")}) == 3


def test_the_same_texts_give_the_same_file_in_another_process() -> None:
    """Which unigram pieces would not, whose trainer sums in another order each time."""
    code = (
        "import sys; from afters.model.vocabulary import learn\n"
        "texts = [line for path in sys.argv[1:] for line in open(path, encoding='utf-8')]\n"
        "print(learn(texts, size=1200, encoder_decoder=True).backend_tokenizer.to_str())"
    )
    house = Path(__file__).resolve().parents[2]
    files = [str(path) for path in sorted((house / "docs").glob("*.md"))]
    made = {subprocess.run([sys.executable, "-c", code, *files], capture_output=True, check=True).stdout for _ in "12"}
    assert len(made) == 1 and len(made.pop()) > 20_000


def test_an_encoder_decoder_gets_t5s_sentinels_and_an_end_after_every_text() -> None:
    tokenizer = learn(TEXTS, size=420, encoder_decoder=True)
    assert len(tokenizer) <= 420 and all(name in tokenizer.get_vocab() for name in SENTINELS)
    assert tokenizer("a").input_ids[-1] == tokenizer.eos_token_id
    alone = learn(TEXTS, size=420, encoder_decoder=False)
    assert not set(SENTINELS) & set(alone.get_vocab())
    made = Prompter(alone, encoder_decoder=False, max_prompt_tokens=99)
    assert made.end_ids == (alone.eos_token_id,) != (alone.pad_token_id,)


def test_a_vocabulary_that_does_not_hold_the_bytes_is_refused() -> None:
    with pytest.raises(SettingsError, match="too small") as caught:
        learn(TEXTS, size=300, encoder_decoder=True)
    assert caught.value.expected == "at least 358"
    assert len(learn(TEXTS, size=358, encoder_decoder=True)) == 358
