"""The floors of the house: a file imports from lower floors and from siblings in its own room, nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "afters"

FLOORS = {
    **{
        "__init__": 10,
        "__main__": 10,
        "cli": 9,
        "config": 8,
        "preview": 8,
        "templates": 8,
        "study": 7,
        "sides": 7,
        "runfolder": 6,
        "report": 5,
    },
    **{"train": 4, "evaluate": 4, "benchmarks": 4, "compare": 4, "testing": 4},
    **{"data": 3, "metrics": 3, "model": 3, "records": 2, "bounded": 1, "errors": 1, "seeds": 1},
}

WITHOUT_TORCH = ("data", "metrics", "benchmarks", "compare", "report", "runfolder", "evaluate", "sides", "templates")

WITHOUT_TORCH_TOO = (("model", "protocol"), ("model", "endpoint"), ("model", "cache"))
"""Files of a room that otherwise knows torch."""

NEVER = {
    "train": ("evaluate", "metrics", "benchmarks", "compare", "study"),
    "compare": ("model", "train", "evaluate"),
    "report": ("model", "train", "evaluate"),
}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def room(path: Path) -> str:
    return module(path)[0]


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Every import of the house in a file, as module parts below `afters`, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            inside = (SOURCE / Path(*(node.module or "").split(".")[1:])).is_dir()
            names = [f"{node.module}.{alias.name}" if inside else f"{node.module}" for alias in node.names]
        else:
            continue
        yield from (tuple(name.split(".")[1:]) for name in names if name.split(".")[0] == "afters")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_down(path: Path) -> None:
    own = FLOORS[room(path)]
    for target in imports(path):
        if target and target[0] in FLOORS:
            in_own_room = target[0] == room(path)
            assert FLOORS[target[0]] < own or in_own_room, f"{path.name} (floor {own}) imports {'.'.join(target)}"
            if in_own_room and (SOURCE / target[0]).is_dir():
                assert len(target) > 1, f"{path.name} imports its own room's face"
        for forbidden in NEVER.get(room(path), ()):
            allowed = target == ("model", "protocol")
            assert target[:1] != (forbidden,) or allowed, f"{room(path)} must never see {forbidden}"


def test_only_the_study_knows_the_order() -> None:
    seers = {room(path) for path in files() for target in imports(path) if target[:1] == ("train",)}
    assert seers <= {"train", "study", "config", "testing", "__init__", "preview"}


def test_the_whole_proof_runs_without_torch() -> None:
    names = [
        ".".join(("afters", *module(path)))
        for path in files()
        if room(path) in WITHOUT_TORCH or module(path) in WITHOUT_TORCH_TOO
    ]
    code = (
        "import importlib, sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        assert name.split('.')[0] not in ('torch', 'transformers', 'peft'), f'{name} is imported'\n"
        "sys.meta_path.insert(0, Block())\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code, *names], check=True)


def test_no_file_reads_or_writes_pickle_or_runs_text() -> None:
    forbidden = {"pickle", "joblib", "dill", "shelve", "marshal"}
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name.split(".")[0] for alias in node.names}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, path
