"""Where a model's files are, whether they are safe to read, and what they hash to. No torch here.

Weights are read from safetensors only: a pickled file can run code, and no scan of one has ever been a defence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from afters.errors import ModelError, nearest

EMBEDDED = {"afters-tiny": Path(__file__).parent / "tiny"}
"""The models that ship with the package."""

TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "spiece.model", "tokenizer.model", "vocab.json", "merges.txt"),
    *("vocab.txt", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("sentencepiece.bpe.model", "sentencepiece.model", "source.spm", "target.spm", "tekken.json"),
)
"""In the order in which they are hashed: a new one stands at the end."""

ADAPTER = "adapter_model.safetensors"

MADE_FOR = "base.json"
"""Beside an adapter that Afters saved: the base it was made for, by name and hash."""

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")


def find(name: str, *, relative_to: Path | None = None) -> Path:
    """Return the folder of the model called `name`: embedded, a folder, or one of a hub.

    A relative path is taken from `relative_to`, the study's own folder, then from the working folder. Only a name that
    is neither, and looks like `owner/name`, is looked up on the hub, where HF_HUB_OFFLINE=1 keeps to what is cached.
    """
    if name in EMBEDDED:
        return checked(EMBEDDED[name], name)
    for base in (relative_to, Path()):
        if base is not None and (base / name).exists():
            return checked(base / name, name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return checked(_from_hub(name), name)
    guess = _nearest_to(name, relative_to=relative_to)
    raise ModelError(
        f"no model '{name}'" + (f"; did you mean '{guess}'?" if guess else ""),
        expected="a folder with config.json and *.safetensors, a hub name as 'owner/name', "
        f"or an embedded model ({', '.join(EMBEDDED)})",
        hint="Check the spelling of [model] base.",
    )


def checked(folder: Path, name: str) -> Path:
    """Return `folder` when it holds a model that can be read without running anybody's code."""
    if not folder.is_dir():
        raise ModelError(f"'{name}' is a file", expected="the folder that holds config.json and *.safetensors")
    if not (folder / "config.json").is_file():
        raise ModelError(f"'{name}' holds no config.json", expected="a folder as transformers' save_pretrained writes")
    if any(folder.glob("*.safetensors")):
        return folder
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
    if pickled:
        raise ModelError(
            f"'{name}' holds only pickled weights ({pickled[0]}), which can run code when they are read",
            expected="*.safetensors",
            hint="Where you trust the file: load it with transformers and save_pretrained(folder), then name that.",
        )
    raise ModelError(f"'{name}' holds no weights", expected="*.safetensors beside config.json")


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter, which needs its base."""
    return (folder / "adapter_config.json").is_file()


def base_of(adapter: Path) -> str:
    """Return the name of the base that an adapter says it was made for."""
    where = f"{adapter.name}/adapter_config.json"
    try:
        name = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError):
        name = None
    if not isinstance(name, str) or not name:
        raise ModelError("the adapter does not say what it was made for", where=where, expected="its base's name")
    return name


def check_adapter(adapter: Path, *, base: Path) -> None:
    """Refuse a folder without a saved adapter, and an adapter that was made for another base than this one."""
    if not (adapter / ADAPTER).is_file():
        raise ModelError(f"no {ADAPTER}", where=adapter.name, expected="a folder that peft has saved")
    made_for = adapter / MADE_FOR
    if not made_for.is_file():  # An adapter from elsewhere: its shapes have to tell.
        return
    told = json.loads(made_for.read_text(encoding="utf-8"))
    if told["weights"] != (own := weights_hash(base)):
        raise ModelError(
            "the adapter was made for another base",
            where=adapter.name,
            expected=f"'{told['name']}' (weights {told['weights']})",
            received=f"'{base.name}' (weights {own})",
            hint="Name the base it was made for; what it learnt means nothing on another.",
        )


def configuration(name: str, *, relative_to: Path | None = None) -> Path | None:
    """Return the configuration called `name`: a *.json file, or config.json in a folder without weights; or None."""
    for base in (relative_to, Path()):
        path = base / name if base is not None else None
        if path is not None and path.is_file() and path.suffix == ".json":
            return path
        if path is not None and (path / "config.json").is_file():
            return None if _has_weights(path) else path / "config.json"
    return None


def _has_weights(folder: Path) -> bool:
    """Tell whether a folder holds weights, or an index of weights that are missing."""
    return any(path.suffix in (".safetensors", *PICKLED) or ".index." in path.name for path in folder.iterdir())


def config(folder: Path) -> dict[str, Any]:
    """Return the model's configuration, refused when it asks for code of its own."""
    return read_config(folder / "config.json")


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration in a file, refused when it asks for code of its own."""
    where = f"{path.parent.name}/{path.name}"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path.name} is not JSON", where=where, received=str(error)) from None
    if not isinstance(read, dict):
        raise ModelError(f"{path.name} is not an object", where=where)
    code = [key for key in _keys(read) if key == "auto_map" or key.startswith("_attn_implementation")]
    if code:
        raise ModelError(
            f"the configuration asks to run code of its own ('{code[0]}')",
            where=where,
            hint="Afters never runs a model's own code; use an architecture that transformers carries.",
        )
    return read


def _keys(content: Any) -> Iterator[str]:
    """Yield the keys of nested objects: a model of several parts has a configuration for each."""
    if isinstance(content, dict):
        yield from content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _keys(inner)


def weights_hash(folder: Path) -> str:
    """Return the sha256 over a model's or adapter's weights and the configuration they are used with, 16 hex digits."""
    configurations = [folder / name for name in ("config.json", "adapter_config.json")]
    return _hash([*sorted(folder.glob("*.safetensors")), *(path for path in configurations if path.is_file())])


def tokenizer_hash(folder: Path) -> str:
    """Return the sha256 over the tokenizer's files, 16 hex digits."""
    return _hash([folder / name for name in TOKENIZER_FILES if (folder / name).is_file()])


def _hash(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(path.name.encode() + b"\0" + _file_hash(path, stat.st_size, stat.st_mtime_ns).encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_hash(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nearest_to(name: str, *, relative_to: Path | None) -> str | None:
    """Return the embedded model or the folder beside where `name` would be that is spelled most like it."""
    above = Path(name).parent
    folders = [base / above for base in (relative_to, Path()) if base is not None and (base / above).is_dir()]
    beside = {child.name for folder in folders for child in folder.iterdir() if child.is_dir()}
    if guess := nearest(name, EMBEDDED):
        return guess
    # Only the last part is compared: long paths are alike whatever they end with.
    guess = nearest(Path(name).name, beside)
    return str(above / guess) if guess else None


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "*.model", "*.spm", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # noqa: BLE001 - the hub's client raises a dozen kinds, all of which mean the same here
        raise ModelError(
            f"'{name}' is no local folder, and could not be fetched from the hub",
            received=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            hint="Name a local folder, or see that the network and the name are right.",
        ) from None
