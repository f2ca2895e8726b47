"""One side of a contest, in a process of its own: it waits while another works, and is asked over its pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


class Silent(RuntimeError):
    """A process has ended without an answer."""


class Process:
    """Runs a script of this folder, which is told once what it is, and then asked as often as wanted."""

    def __init__(self, script: str, **told: Any) -> None:
        self._script = script
        # Waiting threads that stay awake make one side many times slower beside other work: nobody is to win by that.
        awake = {"GOMP_SPINCOUNT": "10000"}
        quiet = {"TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
        command, pipe = [sys.executable, str(HERE / script), json.dumps(told)], subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=os.environ | awake | quiet
        )
        self.loaded_mb = self._answer()["peak_mb"]

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer.

        Raises:
            Silent: there is none.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Silent(f"no answer came; run perf/{self._script} by hand to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer
