from __future__ import annotations

import doctest

from afters.model import layout
from afters.records import Shot

SHOTS = (Shot("Warm?", "no"), Shot("Wet?", "yes"))


def test_a_chat_has_the_shots_as_turns() -> None:
    roles = [(turn["role"], turn["content"]) for turn in layout.turns("Be brief.", "Cold?", SHOTS)]
    assert roles == [
        ("system", "Be brief."),
        *(("user", "Warm?"), ("assistant", "no"), ("user", "Wet?"), ("assistant", "yes")),
        ("user", "Cold?"),
    ]
    assert layout.turns("", "Cold?", ()) == [{"role": "user", "content": "Cold?"}]


def test_a_text_has_the_shots_before_the_question() -> None:
    assert layout.text("Be brief.", "Cold?", SHOTS) == "Be brief.\n\nWarm?\nno\n\nWet?\nyes\n\nCold?"


def test_the_example_in_its_docstring_runs() -> None:
    assert doctest.testmod(layout).failed == 0
