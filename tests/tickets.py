"""What tests of whole studies share: messages for two teams, a study of them, and somebody who is told how it goes."""

from __future__ import annotations

from pathlib import Path

from afters.study.work import Silent

STUDY = """
name = "tickets"
[model]
base = "{base}"
precision = "fp32"
[[task]]
name = "tickets"
source = "tickets.csv"
wordings = ["Which team? {{{{ message }}}}"]
answer = "{{{{ team }}}}"
metrics = ["exact_match"]
[before]
shots = [0, 1]
[train]
epochs = 2
batch_rows = 4
validations = 2
[judge]
max_new_tokens = 4
"""


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def tickets(folder: Path, *, base: Path) -> Path:
    """Write a study of sixty messages for two teams, and return its file."""
    (folder / "study.toml").write_text(STUDY.format(base=base))
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(60)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    return folder / "study.toml"
