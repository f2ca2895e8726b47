from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from tiny_models import Tiny

from afters.errors import ModelError
from afters.model import files


@pytest.fixture
def llama(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny("llama"), tmp_path / "models" / "little-llama"))


def test_a_folder_is_found_from_the_study_and_from_the_working_folder(
    llama: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert files.find("little-llama", relative_to=llama.parent) == llama
    assert files.find(str(llama)) == llama
    monkeypatch.chdir(tmp_path)
    assert files.find("models/little-llama").resolve() == llama


def test_an_unknown_name_is_told_with_the_nearest(llama: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="did you mean 'afters-tiny'"):
        files.find("after-tiny")
    with pytest.raises(ModelError, match="did you mean 'little-llama'"):
        files.find("litle-lama", relative_to=llama.parent)
    with pytest.raises(ModelError, match="did you mean '.*/models/little-llama'"):
        files.find(str(llama.parent / "little-lama"))
    with pytest.raises(ModelError) as caught:
        files.find(str(llama.parent / "qqq"))
    assert "did you mean" not in str(caught.value), "a long path that is shared makes nothing alike"


def test_only_an_owner_and_a_name_are_looked_up_on_a_hub(monkeypatch: pytest.MonkeyPatch, llama: Path) -> None:
    asked: list[str] = []

    def fetch(name: str, **options: object) -> str:
        asked.append(name)
        return str(llama)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert files.find("owner/name") == llama
    for name in ("name", "./owner/name", "/owner/name", "~/name", "one/two/three"):
        with pytest.raises(ModelError):
            files.find(name)
    assert asked == ["owner/name"]


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, **options: object) -> str:
        raise ConnectionError("no network\nsecond line")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        files.find("owner/name")
    assert caught.value.received == "ConnectionError: no network"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "weights.pth", "model.pkl", "last.ckpt"])
def test_only_pickled_weights_are_refused(llama: Path, name: str) -> None:
    (llama / "model.safetensors").rename(llama / name)
    with pytest.raises(ModelError, match=f"only pickled weights \\({name}\\)"):
        files.find(str(llama))


def test_a_folder_without_weights_or_configuration_and_a_file_are_refused(llama: Path) -> None:
    with pytest.raises(ModelError, match="is a file"):
        files.find(str(llama / "config.json"))
    (llama / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        files.find(str(llama))
    (llama / "config.json").unlink()
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        files.find(str(llama))


@pytest.mark.parametrize(
    "code",
    [
        {"auto_map": {"AutoModelForCausalLM": "evil.Model"}},
        {"_attn_implementation_internal": "someone/kernels"},
        {"_attn_implementation": "someone/kernels"},
        {"text_config": {"_attn_implementation_internal": "someone/kernels"}},
    ],
)
def test_a_configuration_that_asks_for_code_is_refused(llama: Path, code: dict[str, object]) -> None:
    """As in CVE-2026-4372, where such a key ran code of a stranger although trust_remote_code was off."""
    told = json.loads((llama / "config.json").read_text())
    (llama / "config.json").write_text(json.dumps({**told, **code}))
    with pytest.raises(ModelError, match="asks to run code of its own"):
        files.config(llama)


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff"])
def test_a_configuration_that_is_no_json_object_is_told(llama: Path, text: str) -> None:
    (llama / "config.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ModelError, match=r"config\.json is not"):
        files.config(llama)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_the_hash_of_weights_changes_with_any_byte_and_any_name(llama: Path) -> None:
    original = files.weights_hash(llama)
    assert len(original) == 16
    os.utime(llama / "model.safetensors", (1, 1))
    assert files.weights_hash(llama) == original, "when a file was written says nothing"
    for place in (0, 5_000, -1):
        flip(llama / "model.safetensors", place)
        assert files.weights_hash(llama) != original
        flip(llama / "model.safetensors", place)
    assert files.weights_hash(llama) == original
    (llama / "model.safetensors").rename(llama / "other.safetensors")
    assert files.weights_hash(llama) != original


def test_the_hash_of_weights_covers_the_configuration_that_they_are_used_with(llama: Path) -> None:
    original = files.weights_hash(llama)
    told = json.loads((llama / "config.json").read_text())
    (llama / "config.json").write_text(json.dumps({**told, "rms_norm_eps": 0.5}))
    assert files.weights_hash(llama) != original


def test_the_hash_of_a_tokenizer_covers_its_files_and_no_others(llama: Path) -> None:
    original = files.tokenizer_hash(llama)
    flip(llama / "model.safetensors", -1)
    assert files.tokenizer_hash(llama) == original
    (llama / "chat_template.jinja").write_text("{{ messages }}")
    assert files.tokenizer_hash(llama) != original


@pytest.mark.parametrize(
    "name", ["sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "target.spm", "tekken.json"]
)
def test_the_hash_of_a_tokenizer_covers_pieces_of_every_name(llama: Path, name: str) -> None:
    """BARTs of many languages, Marian's and Mistral's call theirs so."""
    original = files.tokenizer_hash(llama)
    (llama / name).write_bytes(b"pieces")
    assert files.tokenizer_hash(llama) != original and name in files.TOKENIZER_FILES


def test_the_hash_of_a_tokenizer_stays_when_files_get_known_that_it_lacks(tmp_path: Path) -> None:
    """As it was told before there were sentencepiece.bpe.model and its kin."""
    for name, content in (
        ("tokenizer.json", "{}"),
        ("spiece.model", "pieces"),
        ("chat_template.jinja", "{{ messages }}"),
    ):
        (tmp_path / name).write_bytes(content.encode() + b"\n")
    assert files.tokenizer_hash(tmp_path) == "bec637fe0575497f"
