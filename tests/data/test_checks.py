from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afters.data.checks import CHECKS, WHOLE, Finding, by_severity, check, look_at
from afters.data.dataset import Dataset
from afters.data.split import Side
from afters.data.task import TaskSettings, prepare

Row = dict[str, Any]

TEAMS = ("billing", "delivery", "returns")


def rows(start: int, stop: int, **more: Any) -> list[Row]:
    """Messages whose answers are free texts, all different."""
    return [{"text": f"Message {number}", "label": f"Answer of {number}", **more} for number in range(start, stop)]


def labelled(start: int, stop: int, labels: tuple[str, ...] = TEAMS) -> list[Row]:
    return [
        {"text": f"Message {number}", "label": labels[number % len(labels)], "number": number}
        for number in range(start, stop)
    ]


def found(
    folder: Path, *, train: list[Row], validation: list[Row] | None = None, test: list[Row] | None = None, **task: Any
) -> list[Finding]:
    """Check the three files; validation and test are like the teaching rows, with other numbers, when not given."""
    like = labelled if train and "number" in train[0] else rows
    given = {"train": train, "validation": validation or like(100, 103), "test": test or like(200, 206)}
    for side, content in given.items():
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    asked: Row = {"wordings": ("Say it: {{ text }}",), "answer": "{{ label }}"}
    settings = TaskSettings(name="chats", **{side: f"{side}.jsonl" for side in given}, **{**asked, **task})
    done = prepare(settings, seed=7, folder=folder)
    sides: dict[Side, Dataset] = {"train": done.train, "validation": done.validation, "test": done.test}
    return check(look_at(sides, done.account))


def one(findings: list[Finding], name: str) -> Finding:
    (finding,) = (finding for finding in findings if finding.name == name)
    return finding


def test_sound_free_answers_are_found_nothing_of(tmp_path: Path) -> None:
    assert found(tmp_path, train=rows(0, 30)) == []


def test_sound_labels_are_told_their_balance_and_nothing_else(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, train=labelled(0, 30), test=labelled(200, 206) + labelled(300, 301))
    assert (finding.name, finding.severity) == ("label balance", "tells")
    assert (finding.count, finding.of) == (3, 7)
    assert "'billing', the most frequent of 3" in finding.what and "43%" in finding.what
    assert finding.places[0].source == "test.jsonl:2"


def test_doubles_are_told_apart_by_their_answers(tmp_path: Path) -> None:
    again = [{"text": " MESSAGE  3 ", "label": "answer of 3"}, {"text": "message 4", "label": "another"}]
    same, other = (f for f in found(tmp_path, train=rows(0, 10) + again) if f.name == "doubles")
    assert "same answer" in same.what and dict(same.shares) == {"train": (1, 12)} and same.severity == "tells"
    assert [tuple(place) for place in same.places] == [("train.jsonl:11", "as train.jsonl:4")]
    assert "another answer" in other.what and other.severity == "tells"
    assert [tuple(place) for place in other.places] == [("train.jsonl:12", "as train.jsonl:5")]


def test_two_labels_for_one_text_are_a_warning(tmp_path: Path) -> None:
    finding = one(found(tmp_path, train=[*labelled(0, 30), {"text": "Message 0", "label": "returns"}]), "doubles")
    assert finding.severity == "warns" and "Decide which label is right" in finding.way_out


def test_no_more_than_three_rows_are_named(tmp_path: Path) -> None:
    finding = one(found(tmp_path, train=rows(0, 10) + rows(0, 7)), "doubles")
    assert finding.count == 7 and [place.source for place in finding.places] == [
        "train.jsonl:11",
        "train.jsonl:12",
        "train.jsonl:13",
    ]


def test_judged_rows_in_the_teaching_file_are_counted_both_ways(tmp_path: Path) -> None:
    train = [*rows(0, 10), *rows(200, 202), *rows(200, 201), *rows(100, 101)]
    finding = one(found(tmp_path, train=train), "same content on two sides")
    assert dict(finding.shares) == {"validation": (1, 3), "test": (2, 6)}
    assert "4 teaching rows are set aside" in finding.what and finding.severity == "tells"
    assert ("train.jsonl:11", "as test.jsonl:1") in [tuple(place) for place in finding.places]


def test_validation_rows_among_the_judged_ones_are_a_warning(tmp_path: Path) -> None:
    findings = found(tmp_path, train=rows(0, 10), validation=[*rows(100, 103), *rows(205, 206)])
    finding = one(findings, "same content on two sides")
    assert dict(finding.shares) == {"validation": (1, 4)} and finding.severity == "warns"
    assert [tuple(place) for place in finding.places] == [("validation.jsonl:4", "as test.jsonl:6")]


def test_an_answer_in_its_own_row_is_told_as_whole_words_only(tmp_path: Path) -> None:
    train = [*rows(0, 10), {"text": "They sailed to Oslo.", "label": "oslo"}, {"text": "Osloers sing", "label": "Oslo"}]
    finding = one(found(tmp_path, train=train), "answers in their own prompt")
    assert dict(finding.shares) == {"train": (1, 12)} and finding.severity == "tells"
    assert [tuple(place) for place in finding.places] == [("train.jsonl:11", "oslo")]


def test_choices_that_only_the_template_lists_stand_in_no_row(tmp_path: Path) -> None:
    wording = "Billing, delivery or returns? {{ text }}"
    findings = found(tmp_path, train=labelled(0, 30), wordings=(wording,), choices=TEAMS)
    assert [finding.name for finding in findings] == ["label balance"]


def test_choices_that_every_row_lists_give_none_away(tmp_path: Path) -> None:
    def with_options(start: int, stop: int) -> list[Row]:
        return [{**row, "options": list(TEAMS)} for row in labelled(start, stop)]

    findings = found(
        tmp_path,
        train=with_options(0, 30),
        validation=with_options(100, 103),
        test=with_options(200, 206),
        wordings=("{{ text }} {{ options }}",),
        choices="{{ options }}",
    )
    assert [finding.name for finding in findings] == ["label balance"]


def test_rows_that_nearly_all_name_their_choice_are_a_warning(tmp_path: Path) -> None:
    def named(start: int, stop: int) -> list[Row]:
        return [{**row, "text": f"{row['text']} for {row['label']}"} for row in labelled(start, stop)]

    asked: Row = {"validation": named(100, 103), "test": named(200, 206), "choices": TEAMS}
    finding = one(found(tmp_path, train=named(0, 30), **asked), "answers in their own prompt")
    assert finding.severity == "warns" and (finding.count, finding.of) == (39, 39)
    half = [*named(0, 15), *labelled(15, 29), {"text": "no returns", "label": "billing"}]
    finding = one(found(tmp_path, train=half, **asked), "answers in their own prompt")
    assert finding.severity == "tells" and "1 name a wrong one" in finding.what


def test_a_column_that_is_the_answer_spoils_a_run(tmp_path: Path) -> None:
    wordings = ("{{ text }} for {{ label }}",)
    finding = one(found(tmp_path, train=rows(0, 30), wordings=wordings), "answers in their own prompt")
    assert finding.severity == "spoils" and finding.count == 39 and "column label" in finding.what


def test_empty_answers_and_other_rows_set_aside_are_told_with_their_rows(tmp_path: Path) -> None:
    train = [*rows(0, 10), {"text": "What now?", "label": " "}, {"text": "", "label": "nothing"}]
    findings = found(tmp_path, train=train, test=[*rows(200, 206), {"text": "And here?", "label": None}])
    empty = one(findings, "empty answers")
    assert dict(empty.shares) == {"train": (1, 12), "test": (1, 7)} and empty.severity == "warns"
    assert sorted(place.source for place in empty.places) == ["test.jsonl:7", "train.jsonl:11"]
    other = one(findings, "rows set aside")
    assert "empty prompt" in other.what and [place.source for place in other.places] == ["train.jsonl:12"]


def test_rows_over_a_limit_are_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, train=rows(0, 30), train_limit=10) == []


def test_one_label_alone_spoils_a_run_on_either_side(tmp_path: Path) -> None:
    both, alone = ("yes", "no"), ("yes",)
    for taught, judged, side in ((alone, both, "train"), (both, alone, "test")):
        validation = labelled(100, 104, both)
        findings = found(
            tmp_path, train=labelled(0, 30, taught), validation=validation, test=labelled(200, 206, judged)
        )
        (finding,) = (finding for finding in findings if finding.severity == "spoils")
        assert finding.name == "label balance" and "'yes'" in finding.what and list(finding.shares) == [side]


def test_a_label_that_is_nearly_always_right_is_a_warning(tmp_path: Path) -> None:
    judged = [*labelled(200, 219, ("billing",)), *labelled(300, 301, ("returns",))]
    finding = one(found(tmp_path, train=labelled(0, 30), test=judged), "label balance")
    assert finding.severity == "warns" and "95%" in finding.what


def test_free_answers_have_no_balance_even_where_a_few_recur(tmp_path: Path) -> None:
    train = [*rows(0, 20), *labelled(300, 304, ("yes",))]
    assert "label balance" not in {finding.name for finding in found(tmp_path, train=train)}


def test_the_right_one_of_a_row_s_own_choices_is_balanced_by_its_place(tmp_path: Path) -> None:
    def own(start: int, stop: int) -> list[Row]:
        return [
            {"text": f"Which, {number}?", "label": f"right {number}", "wrong": f"wrong {number}"}
            for number in range(start, stop)
        ]

    asked: Row = {"validation": own(100, 103), "test": own(200, 206), "choices": "{{ [label, wrong] }}"}
    finding = one(found(tmp_path, train=own(0, 30), **asked), "label balance")
    assert finding.severity == "spoils" and "'choice 1'" in finding.what


def test_an_answer_that_is_its_own_only_choice_is_no_label(tmp_path: Path) -> None:
    assert found(tmp_path, train=rows(0, 30), choices="{{ [label] }}", metrics=("perplexity",)) == []


def test_labels_that_are_judged_and_never_taught_are_named(tmp_path: Path) -> None:
    judged = [*labelled(200, 206), {"text": "Who owns you?", "label": "legal"}]
    finding = one(found(tmp_path, train=labelled(0, 30), test=judged), "labels never taught")
    assert dict(finding.shares) == {"test": (1, 7)} and finding.severity == "warns"
    assert [tuple(place) for place in finding.places] == [("test.jsonl:7", "'legal'")]


def test_labels_written_in_two_ways_are_named_beside_the_usual_one(tmp_path: Path) -> None:
    train = [*labelled(0, 30), {"text": "My bill", "label": "Billing"}]
    finding = one(found(tmp_path, train=train), "labels alike")
    assert [tuple(place) for place in finding.places] == [("train.jsonl:31", "'Billing' beside 'billing'")]


def test_wordings_that_differ_only_in_white_space_are_named(tmp_path: Path) -> None:
    wordings = ("Say it: {{ text }}", "Say  it:\n{{text}}", "Say it, please: {{ text }}")
    finding = one(found(tmp_path, train=rows(0, 30), wordings=wordings), "wordings alike")
    assert dict(finding.shares) == {WHOLE: (1, 3)} and finding.severity == "warns"
    assert [tuple(place) for place in finding.places] == [("wording '2'", "as wording '1'")]


def test_texts_without_questions_are_checked_for_what_stands_twice_alone(tmp_path: Path) -> None:
    train = [{"text": "One two three"}, {"text": "one  two THREE"}]
    (finding,) = found(
        tmp_path,
        train=train,
        test=[{"text": "Four five"}],
        validation=[{"text": "Six"}],
        wordings=(),
        answer=None,
        objective="continuation",
        text="text",
    )
    assert finding.name == "doubles" and "answer" not in finding.what and finding.count == 1


def test_what_spoils_a_run_comes_first_and_every_check_bears_its_own_name(tmp_path: Path) -> None:
    train = [*labelled(0, 30, ("yes",)), *labelled(0, 2, ("yes",))]
    train += [{"text": "Message 203", "label": "no"}, {"text": "", "label": "no"}]
    findings = by_severity(found(tmp_path, train=train))
    assert [finding.severity for finding in findings] == ["spoils", "warns", "warns", "tells", "tells", "tells"]
    assert {finding.name for finding in findings} <= set(CHECKS)


@pytest.mark.data
@pytest.mark.parametrize(
    ("files", "asked", "validation", "test", "doubles"),
    [
        (
            [f"samsum/{side}.jsonl" for side in ("train", "val", "test")],
            {"wordings": ("{{ dialogue }}",), "answer": "{{ summary }}"},
            (47, 818),
            (42, 819),
            481,
        ),
        (
            [f"dialogsum/dialogsum.{side}.jsonl" for side in ("train", "dev", "test")],
            {"template": "dialogsum", "references": ("summary1", "summary2", "summary3")},
            (33, 500),
            (1, 500),
            647,
        ),
    ],
    ids=["samsum", "dialogsum"],
)
def test_the_leaks_of_the_published_files_are_told(
    data_folder: Path,
    files: list[str],
    asked: Row,
    validation: tuple[int, int],
    test: tuple[int, int],
    doubles: int,
) -> None:
    """Counted on their own over the same files, once in lower case with white space collapsed and once after NFKC."""
    given = dict(zip(("train", "validation", "test"), files, strict=True))
    done = prepare(TaskSettings(name="chats", **given, **asked), seed=7, folder=data_folder)
    sides: dict[Side, Dataset] = {"train": done.train, "validation": done.validation, "test": done.test}
    findings = check(look_at(sides, done.account))
    finding, *_ = (finding for finding in findings if finding.name == "same content on two sides")
    assert dict(finding.shares) == {"validation": validation, "test": test}
    assert done.account["duplicates"]["train"] == doubles


def test_an_inverted_wording_is_not_said_to_give_its_answer_away(tmp_path: Path) -> None:
    """What it asks for is what the other wordings show, so of course it stands in the row."""
    (tmp_path / "both.toml").write_text(
        'answer = "{{ label }}"\n'
        '[[wordings]]\nid = "usual"\nprompt = "Say it: {{ text }}"\n'
        '[[wordings]]\nid = "turned"\nprompt = "Ask for it: {{ label }}"\nanswer = "{{ text }}"\ninverted = true\n'
    )
    settings: Row = {"template": "both.toml", "wordings": (), "answer": None}
    assert found(tmp_path, train=rows(0, 30), **settings) == []
