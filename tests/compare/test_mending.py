from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from comparisons import Grade, graded, result

from afters.compare.cures import Cure, CureKind, has_control
from afters.compare.forgetting import keep
from afters.compare.mending import Judged, _along, mended
from afters.metrics.likelihood import BitsPerByte
from afters.records import Result
from afters.seeds import stream

CASES = 200


def scores(name: str, mean: float, *, noise: float = 0.05) -> list[float]:
    """Scores about a mean, alike but for noise of each model's own: one Case is hard for all."""
    hard = stream(1, "hard").normal(0, 0.1, CASES)
    values: list[float] = (mean + hard + stream(1, name).normal(0, noise, CASES)).tolist()
    return values


def on(task: str, label: str, values: Sequence[float]) -> Result:
    return replace(graded(label, values), task=task)


def model(kind: CureKind, name: str, learned: float, kept: float, *, strength: float = 1.0, seed: str = "") -> Judged:
    """A model whose mean scores are so on the first task and on what must not be lost."""
    base = on("kept", "before", scores("base kept", 0.8))
    after = on("kept", name, scores(f"{seed}{name} kept", kept))
    held = keep(base, after, Grade(), score="grade", margin=0.05)
    result = on("chats", name, scores(f"{seed}{name}", learned))
    return Judged(name, kind, strength, False, result, {"kept": after}, [held])


def found(*models: Judged) -> tuple[Cure, ...]:
    return mended(
        on("chats", "before", scores("base", 0.2)),
        {"kept": on("kept", "before", scores("base kept", 0.8))},
        models,
        Grade(),
        score="grade",
        kept_metrics={"kept": (Grade(), "grade")},
    )


PLAIN = model("plain", "plain", 0.6, 0.5)
HALF = model("checkpoint", "half", 0.4, 0.65, strength=0.5)


def test_gain_share_and_change_are_those_of_the_means() -> None:
    plain, half = found(PLAIN, HALF)
    assert plain.learned.value == pytest.approx(0.4, abs=0.02)
    assert plain.share.value == 1.0 and half.share.value == pytest.approx(0.5, abs=0.03)
    assert plain.change.value == pytest.approx(-0.3, abs=0.02)
    assert half.learned.low < half.learned.value < half.learned.high
    assert (plain.lost, plain.kept, plain.tasks) == (("kept",), (), 1)


def test_a_cure_stands_above_the_line_and_fewer_steps_on_it() -> None:
    cure = model("replay", "cure", 0.58, 0.79, strength=0.05)
    on_it = model("interpolation", "on it", 0.5, 0.575, strength=0.5)
    plain, half, good, level = found(PLAIN, HALF, cure, on_it)
    assert good.above.low > 0.3 and good.is_one and good.kept == ("kept",)
    assert level.above.low < 0 < level.above.high and not level.is_one
    # The control is never a cure, though it lies on its own line.
    assert plain.above.value == half.above.value == 0.0
    assert not plain.is_one and not half.is_one


def test_what_keeps_all_and_has_learned_little_is_no_cure() -> None:
    _, _, timid = found(PLAIN, HALF, model("interpolation", "timid", 0.45, 0.8, strength=0.5))
    assert timid.kept == ("kept",) and timid.above.low > 0 and timid.share.value < 0.9
    assert not timid.is_one


@pytest.mark.parametrize("later", [False, True])
def test_without_a_model_of_the_plain_run_on_its_way_nothing_is_called_a_cure(later: bool) -> None:
    """Nobody knows what fewer steps would have done; what came after the plain run's best tells nothing of them."""
    cure = model("replay", "cure", 0.58, 0.79, strength=0.05)
    after = (model("checkpoint", "end", 0.55, 0.4),) if later else ()
    made = found(PLAIN._replace(strength=0.5), *after, cure)
    assert all(math.isnan(one.above.value) and math.isnan(one.above.low) and not one.is_one for one in made)
    assert made[-1].kept == ("kept",) and made[-1].share.value > 0.9 and math.isfinite(made[-1].change.value)
    assert has_control([PLAIN, HALF]) and not has_control([PLAIN, cure])


def test_where_the_plain_run_gained_nothing_there_is_no_share() -> None:
    plain, cure = found(model("plain", "idle", 0.2, 0.5), model("replay", "cure", 0.3, 0.8))
    assert math.isnan(plain.share.value) and math.isnan(cure.share.value)
    assert not cure.is_one


def test_between_two_points_of_the_control_the_line_is_straight_and_beyond_them_level() -> None:
    changes = np.array([[0.0], [-0.4], [-0.2]])
    gains = np.array([[0.0], [0.8], [0.6]])
    at = [float(_along(np.array([x]), changes, gains)[0]) for x in (-0.1, -0.3, -0.9, 0.2)]
    assert at == pytest.approx([0.3, 0.7, 0.8, 0.0])


def test_of_points_with_the_same_change_the_best_is_the_line() -> None:
    for gains in ([0.0, 0.8, 0.3], [0.0, 0.3, 0.8]):
        line = np.array([[0.0], [-0.2], [-0.2]]), np.array(gains)[:, None]
        at = [float(_along(np.array([x]), *line)[0]) for x in (-0.2, -0.1, -0.9)]
        assert at == pytest.approx([0.8, 0.4, 0.8])


def test_without_a_score_on_a_scale_nothing_is_called_a_cure() -> None:
    """Bits per byte have no worst value: how far along the line a model is cannot be told."""
    rows = [(4.0, 8.0)] * CASES
    text = replace(result("before", BitsPerByte(), graded("x", [0.0] * CASES).cases, rows), task="prose")
    models = [
        one._replace(kept_results={"prose": replace(text, label=one.name)}, kept=[replace(one.kept[0], word="kept")])
        for one in (PLAIN, HALF, model("replay", "cure", 0.6, 0.8))
    ]
    kept = {"prose": (BitsPerByte(), "bits_per_byte")}
    base = on("chats", "before", scores("base", 0.2))
    made = mended(base, {"prose": text}, models, Grade(), score="grade", kept_metrics=kept)
    assert all(math.isnan(one.above.value) and math.isnan(one.change.value) and not one.is_one for one in made)


def test_it_survives_json() -> None:
    for one in found(PLAIN, HALF):
        assert Cure.read(one.plain()) == one


def test_a_model_on_the_line_is_seldom_called_above_it() -> None:
    """It is what the plain run was half-way, but for chance of its own: one in forty is called so."""
    twins = (model("replay", "twin", 0.4, 0.65, seed=str(number)) for number in range(40))
    assert sum(found(PLAIN, HALF, twin)[2].above.low > 0 for twin in twins) <= 4
