from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from on_disk import Write
from scipy import stats

from afters.errors import InputError
from afters.report.export import verdict_json
from afters.report.told import Told
from afters.sides.compare import compare_sides


def rows(answers: Sequence[str], **more: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows whose reference is "yes", with more columns."""
    return [
        {"id": f"q{place}", "prediction": answer, "references": ["yes"], **{key: of[place] for key, of in more.items()}}
        for place, answer in enumerate(answers)
    ]


def matched(before: Path, after: Path, **options: Any) -> Told:
    return compare_sides([before], [after], metrics=["exact_match"], **options)


def test_two_files_of_answers_are_aligned_by_id_and_tested(lines: Write) -> None:
    before = lines("before.jsonl", rows(["no"] * 12 + ["yes"] * 28))
    after = lines("after.jsonl", rows(["yes"] * 10 + ["no"] * 2 + ["yes"] * 26 + ["no"] * 2)[::-1])
    found = matched(before, after, smallest_effect=0.1).headline
    assert (found.better, found.worse, found.same) == (10, 2, 28)
    assert (found.test, found.interval) == ("exact McNemar", "Tango score")
    assert found.p_value == pytest.approx(stats.binomtest(10, 12).pvalue)
    assert (found.before, found.after, found.smallest_effect) == ("before.jsonl", "after.jsonl", 0.1)
    assert set(found.not_checked) == {"shots", "decoding", "prompts"}


def test_csv_and_json_lines_say_the_same(lines: Write, tmp_path: Path) -> None:
    answers = ["no", "yes", "", "yes, it is", "no"]
    before = lines("before.jsonl", rows(answers))
    after = lines("after.jsonl", rows(["yes"] * 5))
    text = "id,prediction,reference1,reference2\n" + "".join(
        f'q{place},"{answer}",yes,\n' for place, answer in enumerate(answers)
    )
    (tmp_path / "before.csv").write_text(text)
    with gzip.open(tmp_path / "after.jsonl.gz", "wt") as file:
        file.write(after.read_text())
    once = matched(before, after).headline
    again = matched(tmp_path / "before.csv", tmp_path / "after.jsonl.gz").headline
    assert (again.before_value, again.p_value, again.low) == (once.before_value, once.p_value, once.low)


def test_every_shape_of_references_is_read(lines: Write, tmp_path: Path) -> None:
    shapes: list[Mapping[str, Any]] = [
        {"references": ["no", "yes"]},
        {"references": "yes"},
        {"reference": "yes"},
        {"reference1": "no", "reference2": "yes"},
        {"reference1": "yes", "reference2": ""},
    ]
    for place, shape in enumerate(shapes):
        made = [{"id": number, "prediction": "yes", **shape} for number in range(3)]
        path = lines(f"{place}.jsonl", made)
        told = compare_sides([path], [lines("same.jsonl", made)], metrics=["exact_match"])
        assert told.headline.before_value == 1
    (tmp_path / "list.csv").write_text('id,prediction,references\n1,yes,"[""no"", ""yes""]"\n2,yes,"[yes] or not"\n')
    (tmp_path / "again.csv").write_text('id,prediction,references\n1,yes,"[""no"", ""yes""]"\n2,no,"[yes] or not"\n')
    assert matched(tmp_path / "list.csv", tmp_path / "again.csv").headline.before_value == 0.5


def test_a_list_as_python_writes_it_is_one_and_what_only_looks_like_it_is_text(lines: Write, tmp_path: Path) -> None:
    """pandas writes a column of lists so; numpy's arrays have no commas, and Python would glue their texts together."""
    cells = ('1,it isn\'t,"[\'no\', ""it isn\'t""]"', "2,a,['b' 'a']")
    (tmp_path / "python.csv").write_text("\n".join(["id,prediction,references", *cells]) + "\n")
    other = lines("same.jsonl", [{"id": 1, "prediction": "x"}, {"id": 2, "prediction": "['b' 'a']"}])
    told = matched(tmp_path / "python.csv", other).headline
    assert (told.before_value, told.after_value) == (0.5, 0.5)


def test_numbers_of_rows_are_one_id_whether_written_as_fractions_or_not(lines: Write) -> None:
    """A whole number's column with a gap comes out of pandas as fractions."""
    first = [{"id": 1234560.0 + number, "prediction": "yes", "references": ["yes"]} for number in range(4)]
    last = [{"id": str(1234560 + number), "prediction": "no", "references": ["yes"]} for number in range(4)]
    assert matched(lines("first.jsonl", first), lines("last.jsonl", last)).headline.difference == -1


def test_one_file_with_references_is_enough_and_that_is_told(lines: Write) -> None:
    plain = [{"id": f"q{place}", "prediction": "yes"} for place in range(4)]
    before, after = lines("before.jsonl", rows(["no"] * 4)), lines("after.jsonl", plain)
    told = matched(before, after)
    assert (told.headline.before_value, told.headline.after_value) == (0, 1)
    assert "dataset" in told.headline.not_checked
    line = "References: those of before.jsonl were taken where after.jsonl has none."
    assert line in told.not_measured
    for other in (before, lines("again.jsonl", rows(["yes"] * 4))):
        assert not any("References" in one for one in matched(before, other).not_measured)


def both_ways(before: Path, after: Path) -> tuple[Told, Told]:
    return matched(before, after), matched(after, before)


def clusters_line(told: Told) -> list[str]:
    return [line for line in told.not_measured if line.startswith("Clusters")]


def test_one_file_with_clusters_is_enough_whichever_it_is_and_that_is_told(lines: Write) -> None:
    before = lines("before.jsonl", rows(["no"] * 40))
    after = lines("after.jsonl", rows(["yes"] * 20 + ["no"] * 20, cluster=[f"c{place // 10}" for place in range(40)]))
    forth, back = both_ways(before, after)
    for told in (forth, back):
        assert (told.headline.clusters, told.headline.p_value) == (4, 0.5)
        assert clusters_line(told) == ["Clusters: those of after.jsonl were taken where before.jsonl has none."]
    assert (forth.headline.low, forth.headline.high) == pytest.approx((-back.headline.high, -back.headline.low))
    assert [result.score("exact_match").low for result in forth.results] == pytest.approx(
        [result.score("exact_match").low for result in back.results[::-1]]
    )
    assert clusters_line(matched(after, lines("again.jsonl", rows(["no"] * 40)[::-1]))), "also in another order"
    assert not clusters_line(matched(after, after))


def test_clusters_are_lent_to_columns_of_numbers_too(lines: Write) -> None:
    plain = [{"id": place, "acc": 0} for place in range(8)]
    clustered = [{"id": place, "acc": 1, "cluster": place // 2} for place in range(8)]
    sides = [lines("b.jsonl", plain), lines("a.jsonl", clustered)]
    for first, last in (sides, sides[::-1]):
        told = compare_sides([first], [last], metrics=["acc"])
        assert told.headline.clusters == 4
        assert clusters_line(told) == ["Clusters: those of a.jsonl were taken where b.jsonl has none."]


def test_a_prompts_clusters_are_lent_and_told_only_where_rows_share_one(lines: Write) -> None:
    plain = lines("plain.jsonl", rows(["no"] * 4))
    shared = lines("shared.jsonl", rows(["yes"] * 4, prompt=["Hm?", "hm?", "Ha?", "Ho?"]))
    apart = lines("apart.jsonl", rows(["yes"] * 4, prompt=["Hm?", "He?", "Ha?", "Ho?"]))
    for told in both_ways(plain, shared):
        assert told.headline.clusters == 3
        assert clusters_line(told) == ["Clusters: those of shared.jsonl were taken where plain.jsonl has none."]
    for told in both_ways(plain, apart):
        assert (told.headline.clusters, clusters_line(told)) == (4, [])


def test_a_named_cluster_goes_before_a_prompt_as_it_does_within_one_file(lines: Write) -> None:
    prompts, clusters = ["Hm?", "Hm?", "Ha?", "Ho?", "He?"], ["a", "b", "b", "q3", ""]
    asked = lines("asked.jsonl", rows(["no"] * 5, prompt=prompts))
    named = lines("named.jsonl", rows(["yes"] * 5, cluster=clusters))
    both = lines("both.jsonl", rows(["yes"] * 5, prompt=prompts, cluster=clusters))
    assert (
        matched(both, lines("both too.jsonl", rows(["no"] * 5, prompt=prompts, cluster=clusters))).headline.clusters
        == 4
    )
    for other in (named, both):
        for told in both_ways(asked, other):
            assert told.headline.clusters == 4
            assert clusters_line(told) == [f"Clusters: those of {other.name} were taken where asked.jsonl has none."]


def test_several_files_each_lend_the_clusters_that_only_they_have(lines: Write) -> None:
    halves = [["a", "a", "", ""], ["", "", "b", "b"], [""] * 4]
    answers = [["yes", "no", "no", "no"], ["no", "no", "yes", "no"], ["no"] * 4]
    sides = [
        lines(f"{place}.jsonl", rows(said, cluster=half))
        for place, (said, half) in enumerate(zip(answers, halves, strict=True))
    ]
    for first, *last in (sides, sides[::-1]):
        told = compare_sides([first], last, metrics=["exact_match"])
        assert told.headline.clusters == 2
    said = compare_sides(sides[:1], sides[1:], metrics=["exact_match"]).not_measured
    assert "Clusters: those of 0.jsonl and 1.jsonl were taken where 0.jsonl, 1.jsonl, 2.jsonl have none." in said


def test_a_row_that_stands_alone_is_in_no_cluster_that_is_called_as_it_is(lines: Write) -> None:
    made = [{"id": place, "prediction": "yes", "references": ["yes"]} for place in range(4)]
    named = [{**row, "cluster": 3} for row in made[:2]] + made[2:]
    assert matched(lines("b.jsonl", made), lines("a.jsonl", named)).headline.clusters == 3


def test_clusters_and_questions_that_differ_are_refused_also_behind_a_file_that_has_none(lines: Write) -> None:
    for column, what in (("cluster", "cluster"), ("prompt", "question")):
        plain = lines("plain.jsonl", rows(["no"] * 3))
        odd = [lines(f"{name}.jsonl", rows([name] * 3, **{column: ["a", name, "c"]})) for name in ("x", "y")]
        with pytest.raises(InputError, match=f"another {what} than before for id q1"):
            compare_sides([plain], odd, metrics=["exact_match"])


def test_references_that_differ_are_refused_also_behind_a_file_that_has_none(lines: Write) -> None:
    plain = [{"id": f"q{place}", "prediction": "yes"} for place in range(4)]
    others = [{**row, "references": ["no"]} for row in plain]
    sides = [lines("plain.jsonl", plain), lines("yes.jsonl", rows(["yes"] * 4)), lines("no.jsonl", others)]
    with pytest.raises(InputError, match="another references than before for ids q0, q1"):
        compare_sides(sides[:1], sides[1:], metrics=["exact_match"])


def test_empty_answers_are_scored_and_counted(lines: Write) -> None:
    told = matched(lines("before.jsonl", rows(["", " ", "yes"])), lines("after.jsonl", rows(["yes", "", "yes"])))
    found = told.headline
    assert (found.cases, found.unjudged, found.before_empty, found.after_empty) == (3, 0, 2, 1)
    assert found.before_value == pytest.approx(1 / 3)


def test_rows_of_a_cluster_or_of_one_prompt_are_resampled_together(lines: Write) -> None:
    sides = [["no", "no", "yes", "yes"], ["yes", "no", "yes", "yes"]]
    clusters, prompts = ["a", "a", "b", ""], ["Hm?", " hm? ", "Ha?", "Ho?"]
    by_name = [lines(f"c{place}.jsonl", rows(side, cluster=clusters)) for place, side in enumerate(sides)]
    by_prompt = [lines(f"p{place}.jsonl", rows(side, prompt=prompts)) for place, side in enumerate(sides)]
    for before, after in (by_name, by_prompt):
        assert matched(before, after).headline.clusters == 3
    assert "prompts" not in matched(*by_prompt).headline.not_checked


def test_repeating_every_row_three_times_changes_no_p_value_and_order_changes_nothing(lines: Write) -> None:
    answers = [["no", "yes", "maybe yes", "no"] * 15, ["yes", "yes", "yes yes", "maybe"] * 15]
    prompts = [f"Question {place}" for place in range(60)]
    once, thrice, turned = [], [], []
    for side, texts in zip(("before", "after"), answers, strict=True):
        made = rows(texts, prompt=prompts)
        copies = [{**row, "id": f"{row['id']}/{copy}"} for copy in range(3) for row in made]
        once.append(lines(f"{side}.jsonl", made))
        thrice.append(lines(f"{side}3.jsonl", copies))
        turned.append(lines(f"turned/{side}.jsonl", made[::-1]))
    asked = ["exact_match", "rouge1", "rougeL"]
    first, copied, last = (
        compare_sides(pair[:1], pair[1:], metrics=asked).comparisons for pair in (once, thrice, turned)
    )
    for one, other in zip(first, copied, strict=True):
        assert (other.p_value, other.p_corrected) == (one.p_value, one.p_corrected)
        assert (other.low, other.high) == pytest.approx((one.low, one.high))
        assert (other.cases, other.clusters) == (3 * one.cases, one.clusters)
    assert last == first


def test_the_first_metric_decides_and_the_others_explore(lines: Write) -> None:
    before, after = lines("b.jsonl", rows(["no"] * 9 + ["yes"])), lines("a.jsonl", rows(["yes"] * 10))
    told = compare_sides([before], [after], metrics=["exact_match", "rouge", "rouge1"], smallest_effect=0.1)
    assert [one.metric for one in told.comparisons] == ["exact_match", "rouge1", "rouge2", "rougeL", "rougeLsum"]
    assert [one.primary for one in told.comparisons] == [True] + [False] * 4
    assert [one.smallest_effect for one in told.comparisons] == [0.1] + [0.0] * 4
    assert {one.correction for one in told.comparisons[1:]} == {"Benjamini-Hochberg"}
    assert told.comparisons[1].p_corrected > told.comparisons[1].p_value


def test_a_column_of_numbers_is_compared_as_it_is(lines: Write) -> None:
    numbers = [[0.1, 0.4, 0.5, 0.9], [0.2, 0.5, 0.4, 0.9]]
    before, after = (
        lines(name, [{"id": place, "quality": value} for place, value in enumerate(side)])
        for name, side in zip(("b.jsonl", "a.jsonl"), numbers, strict=True)
    )
    told = compare_sides([before], [after], metrics=["quality"])
    expected = stats.ttest_rel(numbers[1], numbers[0]).confidence_interval()
    assert (told.headline.low, told.headline.high) == pytest.approx((expected.low, expected.high))
    assert (told.headline.direction, told.headline.better) == ("higher", 2)
    assert any("higher values of quality" in line for line in told.not_measured)
    turned = compare_sides([before], [after], metrics=["quality"], lower_is_better=["quality"]).headline
    assert (turned.direction, turned.better, turned.worse) == ("lower", 1, 2)


def test_a_column_of_zeros_and_ones_gets_the_tests_of_right_and_wrong(lines: Write) -> None:
    before, after = (
        lines(name, [{"id": place, "acc": value} for place, value in enumerate(side)])
        for name, side in (("b.jsonl", [0] * 8 + [1] * 2), ("a.jsonl", [1] * 9 + [0]))
    )
    found = compare_sides([before], [after], metrics=["acc"]).headline
    assert found.test == "exact McNemar"
    assert found.p_value == pytest.approx(stats.binomtest(8, 9).pvalue)


def test_equal_files_give_equal_json_of_the_shape_of_a_runs_verdict(lines: Write) -> None:
    before, after = lines("b.jsonl", rows(["no", "yes", "no"])), lines("a.jsonl", rows(["yes"] * 3))
    text = verdict_json(matched(before, after))
    assert text == verdict_json(matched(before, after))
    found = json.loads(text)
    assert set(found) == {"schema", "study", "primary", "comparisons", "scores", "not_measured"}
    assert (found["comparisons"][0]["primary"], found["primary"]) == (True, "exact_match")
    assert [score["result"] for score in found["scores"]] == ["b.jsonl", "a.jsonl"]


def test_files_of_one_name_are_told_apart_by_their_folders(lines: Write) -> None:
    before, after = lines("base/test.jsonl", rows(["no"] * 3)), lines("tuned/test.jsonl", rows(["yes"] * 3))
    assert (matched(before, after).headline.before, matched(before, after).headline.after) == (
        "base/test.jsonl",
        "tuned/test.jsonl",
    )


GOOD = rows(["yes", "no", "yes"])


def changed(place: int, **cells: Any) -> list[dict[str, Any]]:
    return [{**row, **cells} if number == place else row for number, row in enumerate(GOOD)]


def without(column: str, place: int | None = None) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name != column or place not in (None, number)}
        for number, row in enumerate(GOOD)
    ]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (without("id", 1), ("after.jsonl:2: no id", "text or a whole number under 'id'")),
        (without("id"), ("after.jsonl: no column 'id'", "the columns prediction, references")),
        (changed(1, id=""), ("after.jsonl:2: an empty id",)),
        (changed(1, id="  "), ("after.jsonl:2: an empty id",)),
        (changed(1, id=None), ("after.jsonl:2: no id",)),
        (changed(1, id=[1]), ("after.jsonl:2: no id",)),
        (changed(2, id="q0"), ("after.jsonl:3: an id stands twice", "'q0', which row 1 has too")),
        (changed(2, id="q9"), ("1 id has no row in before.jsonl", "after.jsonl:3", "Is 'q9' the 'q2' of before.jsonl")),
        (GOOD[:2], ("1 id has no row in after.jsonl", "before.jsonl has 3 rows, after.jsonl 2", "id q2")),
        ([*GOOD, {**GOOD[0], "id": "x"}], ("1 id has no row in before.jsonl", "after.jsonl has 4 rows")),
        (
            changed(0, prediction=None),
            ("after.jsonl:1: the prediction is not text", "null", 'empty answer is written ""'),
        ),
        (changed(0, prediction=4), ("after.jsonl:1: the prediction is not text", "received: 4")),
        (without("prediction"), ("after.jsonl: no column 'prediction'",)),
        ([{**row, "predictions": "x"} for row in without("prediction")], ("Is it 'predictions'? Then rename it",)),
        (changed(1, references=[1, 2]), ("after.jsonl:2: a reference is not text", "received: 1")),
        (changed(1, references={"a": "b"}), ("after.jsonl:2: a reference is not text",)),
        (changed(1, references=[]), ("after.jsonl:2: no reference",)),
        (changed(1, references=""), ("after.jsonl:2: no reference",)),
        (changed(1, references=["no"]), ("after.jsonl:2: another references", "'yes', as at before.jsonl:2", "'no'")),
        ([], ("after.jsonl: the file is empty",)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_wrong_with_a_file_is_told_by_id_and_row(
    lines: Write, broken: list[dict[str, Any]], said: tuple[str, ...]
) -> None:
    before, after = lines("before.jsonl", GOOD), lines("after.jsonl", broken)
    with pytest.raises(InputError) as raised:
        matched(before, after)
    for words in said:
        assert words in str(raised.value)


def test_all_that_is_wrong_with_a_file_is_told_together(lines: Write) -> None:
    broken: list[dict[str, Any]] = [
        *({"id": f"n{place}", "prediction": 7, "references": ["yes"]} for place in range(9)),
        {"id": "", "prediction": "yes", "references": [3]},
    ]
    with pytest.raises(InputError) as raised:
        matched(lines("before.jsonl", broken), lines("after.jsonl", GOOD))
    told = str(raised.value)
    assert told.startswith("3 problems:")
    assert "received: 7; and in rows 2, 3, 4, 5, 6 and 3 more as well" in told
    assert "an empty id" in told and "a reference is not text" in told


def test_what_is_wrong_with_both_files_is_told_together(lines: Write) -> None:
    with pytest.raises(
        InputError, match=r"(?s)2 problems.*before.jsonl:2: no id.*after.jsonl:1: the prediction is not"
    ):
        matched(lines("before.jsonl", changed(1, id=None)), lines("after.jsonl", changed(0, prediction=1)))


def test_an_unknown_column_of_which_less_is_better_is_told(lines: Write) -> None:
    before, after = (lines(name, [{"id": 1, "loss": 2.0}]) for name in ("b.jsonl", "a.jsonl"))
    with pytest.raises(InputError, match="--lower-is-better: unknown column 'los'; did you mean 'loss'"):
        compare_sides([before], [after], metrics=["loss"], lower_is_better=["los"])


@pytest.mark.parametrize("value", [float("nan"), None, float("inf"), "high", [1], ""])
def test_a_score_that_is_no_number_is_refused(lines: Write, value: Any) -> None:
    before = lines("b.jsonl", [{"id": 1, "quality": 0.5}, {"id": 2, "quality": 0.7}])
    after = lines("a.jsonl", [{"id": 1, "quality": 0.5}, {"id": 2, "quality": value}])
    with pytest.raises(InputError, match="a.jsonl:2: 'quality' is not a number"):
        compare_sides([before], [after], metrics=["quality"])


def test_broken_lines_bytes_and_files_are_told_with_their_place(lines: Write, tmp_path: Path) -> None:
    before = lines("before.jsonl", GOOD)
    (tmp_path / "broken.jsonl").write_text('{"id": 1}\n{"id": \n[1]\n')
    (tmp_path / "latin.csv").write_bytes(b"id,prediction,references\n1,caf\xe9,yes\n")
    (tmp_path / "quoted.csv").write_text('id,prediction,references\n1,"yes,yes\n')
    (tmp_path / "utf16.csv").write_text("id,prediction\n", encoding="utf-16")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "text.txt").write_text("yes\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00")
    for name, said in {
        "broken.jsonl": "broken.jsonl:2:1: broken JSON",
        "latin.csv": "latin.csv:2:prediction: not UTF-8",
        "quoted.csv": "broken quoting",
        "utf16.csv": "not UTF-8",
        "empty.jsonl": "empty.jsonl: the file is empty",
        "text.txt": "text.txt: unknown format",
        "befor.jsonl": "before.jsonl'?",
        "nowhere/befor.jsonl": "no folder",
        "empty": "no finished run",
        "damaged.jsonl.gz": "cannot be read",
    }.items():
        with pytest.raises(InputError) as raised:
            matched(before, tmp_path / name)
        assert said in str(raised.value), name
    with pytest.raises(InputError, match=r"(?s)3 problems.*jsonl:3: not a JSON object.*no column"):
        matched(before, tmp_path / "broken.jsonl")


def test_unknown_metrics_name_the_nearest_and_none_at_all_the_choice(lines: Write) -> None:
    before, after = (
        lines("b.jsonl", rows(["no"] * 3, qual=[1, 2, 3])),
        lines("a.jsonl", rows(["no"] * 3, qual=[1, 2, 3])),
    )
    with pytest.raises(InputError, match="unknown metric or column 'rogue1'; did you mean 'rouge1'"):
        compare_sides([before], [after], metrics=["rogue1"])
    with pytest.raises(InputError, match=r"(?s)no --metric, and nothing in b.jsonl says.*qual.*exact_match"):
        compare_sides([before], [after])


def test_a_column_that_only_one_file_has_is_told(lines: Write) -> None:
    before, after = lines("b.jsonl", [{"id": 1, "quality": 1}]), lines("a.jsonl", [{"id": 1, "qualitty": 1}])
    with pytest.raises(InputError, match=r"(?s)a.jsonl: no column 'quality'.*Is it 'qualitty'"):
        compare_sides([before], [after], metrics=["quality"])


def test_a_metric_that_needs_references_says_where_they_lack(lines: Write) -> None:
    plain = [{"id": place, "prediction": "yes"} for place in range(3)]
    with pytest.raises(InputError, match="no reference to judge by rouge"):
        compare_sides([lines("b.jsonl", plain)], [lines("a.jsonl", plain)], metrics=["rouge1"])


def test_another_question_or_cluster_under_an_id_is_refused(lines: Write) -> None:
    made = [lines(f"{name}.jsonl", rows(["no"] * 3, prompt=["a", name, "c"])) for name in ("x", "y")]
    with pytest.raises(InputError, match="another question than before for id q1"):
        matched(*made)
    made = [lines(f"{name}.jsonl", rows(["no"] * 3, cluster=["a", name, "c"])) for name in ("x", "y")]
    with pytest.raises(InputError, match="another cluster than before for id q1"):
        matched(*made)


def test_one_path_without_another_is_told_what_is_missing(lines: Write) -> None:
    path = lines("b.jsonl", GOOD)
    with pytest.raises(InputError, match="nothing to compare with"):
        compare_sides([path])
    with pytest.raises(InputError, match="stands twice on one side"):
        compare_sides([path, path], [path])


def test_several_files_of_a_side_speak_of_the_recipe(lines: Write) -> None:
    seeds = [lines(f"seed{seed}.jsonl", rows(["yes"] * (30 + seed) + ["no"] * (10 - seed))) for seed in range(3)]
    told = compare_sides([lines("base.jsonl", rows(["no"] * 40))], seeds, metrics=["exact_match"])
    found = told.headline
    assert (found.before_seeds, found.after_seeds, found.verdict) == (1, 3, "improved")
    assert found.after_value == pytest.approx(31 / 40)
    assert "of this recipe (1 seed before, 3 after)" in found.sentence
    assert [one.label for one in told.results][1:] == ["base.jsonl", "seed0.jsonl", "seed1.jsonl", "seed2.jsonl"]
    assert told.results[0].score("exact_match").value == found.after_value
    assert not any("Other seeds" in line for line in told.not_measured)
