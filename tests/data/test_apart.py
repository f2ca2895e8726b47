"""A process that answers, is killed when it does not, and ends with whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afters.data import sandbox
from afters.data.apart import Apart
from afters.errors import AftersError, TemplateError

ECHO = "from afters.data.apart import serve; serve(lambda asked: asked['text'] * asked.get('times', 1))"

ASKS = """
import os, time
from afters.data.apart import serve
from afters.errors import TemplateError

def answer(asked):
    if asked["do"] == "hang":
        while True: pass
    if asked["do"] == "grow":
        return "x" * 2**31
    if asked["do"] == "write":
        with open("made", "w") as file: file.write("x")
    if asked["do"] == "keys":
        return ",".join(sorted(os.environ))
    if asked["do"] == "exit":
        os._exit(3)
    if asked["do"] == "fail":
        raise TemplateError("it fails", where="line 2", hint="Mend it.")
    return str(os.getpid())

serve(answer)
"""


@pytest.fixture
def apart() -> Iterator[Apart]:
    made = Apart(ASKS, seconds=0.5)
    yield made
    made.close()


def test_one_process_answers_again_and_again(apart: Apart) -> None:
    number = apart.ask({"do": "tell"})
    assert apart.ask({"do": "tell"}) == number != str(os.getpid())


def test_an_error_comes_back_whole_and_the_process_stays(apart: Apart) -> None:
    number = apart.ask({"do": "tell"})
    with pytest.raises(TemplateError) as caught:
        apart.ask({"do": "fail"})
    assert (caught.value.what, caught.value.where, caught.value.hint) == ("it fails", "line 2", "Mend it.")
    assert apart.ask({"do": "tell"}) == number


@pytest.mark.parametrize("task", ["hang", "grow", "write", "exit"])
def test_what_does_not_answer_is_stopped_and_the_next_one_is_answered(
    apart: Apart, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    number = apart.ask({"do": "tell"})
    with pytest.raises(TemplateError, match="was stopped"):
        apart.ask({"do": task})
    with pytest.raises(ProcessLookupError):
        os.kill(int(number), 0)
    assert apart.ask({"do": "tell"}) != number
    assert all(path.stat().st_size == 0 for path in tmp_path.iterdir())


def test_a_process_that_is_held_up_is_stopped_even_while_a_long_row_is_sent() -> None:
    apart = Apart(ECHO, seconds=3.0)
    assert apart.ask({"text": "a"}) == "a"
    process = apart._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(TemplateError, match="was stopped"):
        apart.ask({"text": "a" * 1_000_000})
    assert apart.ask({"text": "ä" * 1_000_000, "times": 3}) == "ä" * 3_000_000
    apart.close()


def test_it_is_given_none_of_our_keys(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERS_API_KEY", "secret")
    assert "AFTERS_API_KEY" not in apart.ask({"do": "keys"})


def test_what_cannot_start_is_told() -> None:
    with pytest.raises(AftersError, match="does not start"):
        Apart("raise SystemExit").ask({"text": "a"})


def test_it_ends_when_the_one_who_asked_is_killed() -> None:
    code = f"""
import os, signal
from afters.data.apart import Apart
print(Apart({ASKS!r}).ask({{"do": "tell"}}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    number = int(told.stdout)
    for _ in range(100):
        state = Path(f"/proc/{number}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("it is still there")


def test_a_lenient_template_is_rendered_apart_as_it_would_be_here() -> None:
    row: dict[str, Any] = {"x": "a\n|||\ud800", "y": None, "z": [1.5, {"k": True}]}
    text = " {{ x }}{{ y }}{{ z }}{{ missing }}{{ ['p', 'q', 'r'] | choice }}\n"
    for seed in range(5):
        here = sandbox._rendered(text, row, dialect="lenient", seed=seed)
        assert sandbox.render(text, row, dialect="lenient", seed=seed) == here
    with pytest.raises(TemplateError, match="fails on this row") as caught:
        sandbox.render("{{ missing.part }}", row, dialect="lenient")
    assert "'missing' is undefined" in str(caught.value)
