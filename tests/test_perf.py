"""The timings run, and print what DESIGN promises; how fast they are is for the notebook, not for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PERF = Path(__file__).resolve().parents[1] / "perf"


@pytest.mark.slow
@pytest.mark.data
def test_rouge_is_timed_beside_its_peer(data_folder: Path) -> None:
    command = [sys.executable, str(PERF / "rouge.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["ratios"]) == {found["name"] for found in told["pairs"]}
    assert all(found["peer_seconds"] > found["seconds"] > 0 for found in told["pairs"])
    assert all(found["largest_difference"] <= 1e-12 for found in told["pairs"])


def test_peers_are_pinned() -> None:
    lines = (PERF / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines if line and not line.startswith("#"))
