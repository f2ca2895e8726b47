"""The tables in `material/`: blocks of lines, with an empty line between them; a line with # is a remark."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "material"

Block = tuple[str, ...]


@cache
def blocks(name: str) -> tuple[Block, ...]:
    """Return the blocks of the table `material/NAME.txt`, each as its lines."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(tuple(block.strip().splitlines()) for block in kept.split("\n\n"))


@cache
def pool(name: str) -> tuple[str, ...]:
    """Return the members of a pool of `material/pools.txt`."""
    [members] = [block[1:] for block in blocks("pools") if block[0] == f"{name}:"]
    return tuple(" ".join(members).split(", "))
