from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from afters.report.charts import Axis, Curve, Estimate, Intervals, Line, draw, ticks

SVG = "{http://www.w3.org/2000/svg}"

INTERVALS = Intervals(
    title="rouge1 </title><script>",
    axis="rouge1 (higher is better)",
    estimates=(
        Estimate("Before", "0.300", 0.3, 0.2, 0.4),
        Estimate("After <b>", "0.500", 0.5, 0.45, 0.55, strong=True),
        Estimate("Broken", "–", math.nan),
    ),
    reference=0.3,
    chance=0.1,
)

CURVE = Curve("loss", "step", "loss", (Line("training", ((1, 8.0), (2, 4.0), (3, 1.0)), style="strong"),))


def parsed(chart: Intervals | Curve, *, width: int = 760) -> ET.Element:
    return ET.fromstring(draw(chart, width=width))


def dots(root: ET.Element) -> list[float]:
    return [float(node.attrib["cx"]) for node in root.iter("circle")]


@pytest.mark.parametrize("width", [340, 760])
@pytest.mark.parametrize("chart", [INTERVALS, CURVE])
def test_a_chart_says_what_it_is_and_scales(chart: Intervals | Curve, width: int) -> None:
    root = parsed(chart, width=width)
    assert root.attrib["role"] == "img"
    assert root.attrib["viewBox"].split()[2] == str(width)
    assert root[0].tag == "title" and root[0].text == chart.title


@pytest.mark.parametrize("width", [340, 760])
def test_a_dot_lies_in_the_middle_of_its_symmetric_interval(width: int) -> None:
    root = parsed(INTERVALS, width=width)
    bars = [node for node in root.iter("line") if "interval" in node.attrib["class"]]
    across = [bar for bar in bars if bar.attrib["y1"] == bar.attrib["y2"]]
    middles = [(float(bar.attrib["x1"]) + float(bar.attrib["x2"])) / 2 for bar in across]
    assert middles == pytest.approx(dots(root), abs=0.11)


def test_places_are_in_proportion_to_values() -> None:
    chart = Intervals("t", "a", tuple(Estimate(str(value), "", value) for value in (0.0, 0.5, 1.0)))
    first, second, third = dots(parsed(chart))
    assert second - first == pytest.approx(third - second, abs=0.11) and first < second


def test_an_estimate_that_is_not_a_number_has_its_label_but_no_dot() -> None:
    root = parsed(INTERVALS)
    assert len(dots(root)) == 2
    assert "Broken" in [node.text for node in root.iter("text")]


def test_halving_a_loss_falls_by_equal_steps_on_a_logarithmic_axis() -> None:
    lines = (Line("loss", ((1, 8.0), (2, 4.0), (3, 2.0)), style="dots"),)
    root = parsed(Curve("t", "step", "loss", lines, logarithmic=True))
    first, second, third = (float(node.attrib["cy"]) for node in root.iter("circle"))
    assert second - first == pytest.approx(third - second, abs=0.11) and first < second


def test_labels_of_lines_that_end_together_do_not_touch() -> None:
    lines = tuple(Line(name, ((1, 2.0), (2, 1.0))) for name in ("one", "two", "three"))
    texts = [node for node in parsed(Curve("t", "x", "y", lines)).iter("text") if "end" in node.attrib["class"]]
    heights = sorted(float(node.attrib["y"]) for node in texts if node.text in {"one", "two", "three"})
    assert heights[1] - heights[0] >= 15 and heights[2] - heights[1] >= 15


def test_places_stand_evenly_apart_and_their_names_do_not_touch() -> None:
    names = tuple(f"{100 * 2**place:,}" for place in range(12))
    line = Line("", tuple((float(place), 1.0) for place in range(12)), style="dots")
    for width, shown in ((760, 12), (340, 4)):
        root = parsed(Curve("t", "rows", "y", (line,), places=names), width=width)
        across = dots(root)
        assert across[1] - across[0] == pytest.approx(across[11] - across[10], abs=0.11)
        texts = {node.text: float(node.attrib["x"]) for node in root.iter("text")}
        named = [texts[name] for name in names if name in texts]
        assert len(named) == shown and names[-1] in texts
        assert all(second - first > 45 for first, second in zip(named, named[1:], strict=False))
        assert named[-1] + 25 < width


@pytest.mark.parametrize("points", [((5, 2.0),), ((1, 2.0), (2, 2.0))])
def test_a_curve_of_one_value_can_be_drawn(points: tuple[tuple[float, float], ...]) -> None:
    assert parsed(Curve("t", "x", "y", (Line("l", points, style="dots"),))) is not None


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Axis(0.0, 1.0, 0, 1), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (Axis(-3.0, 11.0, 0, 1), [0, 5, 10]),
        (Axis(0.9, 11.0, 0, 1, logarithmic=True), [1, 2, 5, 10]),
        (Axis(0.0005, 200.0, 0, 1, logarithmic=True), [0.001, 0.01, 0.1, 1, 10, 100]),
    ],
)
def test_ticks_are_round(axis: Axis, expected: list[float]) -> None:
    assert ticks(axis) == pytest.approx(expected)
