"""Sides as they lie on disk, written small and by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from on_disk import USUAL, MakeRun, Write, answered

from afters.metrics.metric import Metric
from afters.runfolder import RunFolder


@pytest.fixture
def lines(tmp_path: Path) -> Write:
    """Write JSON lines."""

    def write(name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run folder as `afters run` leaves it, as far as a comparison reads it: with a task that was kept, too."""

    def make(
        name: str,
        effect: float = 0.05,
        *,
        task: str = "chats",
        judged_by: Sequence[Metric] = USUAL,
        options: Mapping[str, Any] | None = None,
        references: tuple[str, ...] = ("yes",),
        choices: tuple[str, ...] = (),
        **sides: Sequence[str],
    ) -> Path:
        folder = RunFolder(tmp_path / name)
        for label, answers in sides.items():
            result = answered(
                *(label.replace("_", "="), answers),
                weights=f"{name}/{label}",
                shots="2" if label.startswith("shots") else "0",
                task=task,
                judged_by=judged_by,
                references=references,
                choices=choices,
            )
            folder.keep_result(result)
            kept = {**result.identity, "dataset": f"drawn by {name}"}  # as what the base says is, which differs
            folder.keep_result(replace(result, task="ballads", identity=kept))
        settings: dict[str, Any] = {"name": task, "smallest_effect": effect, **(options or {})}
        folder.write("study.toml", tomli_w.dumps({"name": name, "task": [settings]}))
        folder.write_json("making.json", {"primary": {task: judged_by[0].names[0]}})
        folder.write_json("verdict.json", {"comparisons": []})
        return folder.path

    return make
