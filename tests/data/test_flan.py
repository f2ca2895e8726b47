from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afters.data.flan import from_flan, lint, missing_commas, read
from afters.data.task import TaskSettings, prepare
from afters.data.template import Template
from afters.errors import TemplateError

PYTHON = r'''
"""Patterns."""
import dataclasses
import no_such_module
PATTERNS = {
    "topic": [
        ("{body}\n\nWhat is it about, "
         "{{please}}?\n{options_}", "{answer}"),
        ("{body}\nTopic?", "{answer}"),
        ("Read {body}n\nTopic?\n{options_}", "\n{answer}"),
        ("{body}\nTopic?", "{answer}"),
        ("Explain the topic of {body}.", "The topic is {answer}"),
        ("Write about {answer}.", "{body}"),
    ],
}
FEWSHOT_PATTERNS = {
    "topic": [
        FewShotPattern(
            inputs="{body}", targets="{answer}", inputs_prefix="Q: ", targets_prefix="A: ", x_y_delimiter="\n",
            input_pattern="{{hint}}\n{{inputs}}{final_suffix}", final_suffix="!"),
    ],
}
PATTERNS["subject"] = PATTERNS["topic"]
PATTERNS["made"] = [pair for pair in PATTERNS["topic"]]
STARTS = ["", "Dialog:", "Talk:" "Chat:", "Convo:"]
'''
ROW = {"body": "goal", "answer": "sport", "options": ["sport", "art"], "hint": "Guess."}


def written(folder: Path) -> Path:
    (folder / "templates.py").write_text(PYTHON)
    return folder / "templates.py"


def asked(template: Template, number: int, row: dict[str, Any]) -> tuple[str, str]:
    wording = template.wordings[number]
    return template.ask(wording, row).prompt, template.answer_of(row, wording)


def test_pythons_tables_are_read_and_never_run(tmp_path: Path) -> None:
    template = from_flan(written(tmp_path), task="topic")
    assert asked(template, 0, ROW) == ("goal\n\nWhat is it about, {please}?\nOPTIONS:\n- sport\n- art", "sport")
    assert [wording.inverted for wording in template.wordings] == [False] * 5 + [True]
    assert [wording.answer for wording in template.wordings[:4]] == [None] * 4
    assert asked(template, 4, ROW) == ("Explain the topic of goal.", "The topic is sport")
    assert asked(template, 5, ROW) == ("Write about sport.", "goal")
    assert template.asked_columns() == ("body", "options")
    assert from_flan(tmp_path / "templates.py", task="subject").wordings == template.wordings


def test_a_few_shot_pattern_asks_with_its_prefixes(tmp_path: Path) -> None:
    template = from_flan(written(tmp_path), task="FEWSHOT_PATTERNS/topic")
    assert asked(template, 0, ROW) == ("Guess.\nQ: goal\nA: !", "sport")


def test_the_known_defects_are_told(tmp_path: Path) -> None:
    template = from_flan(written(tmp_path), task="topic")
    assert template.notes == (
        "FLAN's patterns: topic 2 has a stray letter: '{body}n'",
        "FLAN's patterns: topic 3 is topic 1 again",
        "FLAN's patterns: a comma may be missing in 'Talk:' 'Chat:'",
    )
    assert missing_commas('GOOD = ["a b" " c", "d " "e", "f"]\nSHORT = ["a:", "b:"]') == []


def test_fields_name_the_columns(tmp_path: Path) -> None:
    given = {"body": "text", "answer": "['art', 'sport'][label]", "options": "['art', 'sport']"}
    template = from_flan(written(tmp_path), task="topic", given=given)
    row = {"text": "goal", "label": 1}
    assert asked(template, 0, row) == ("goal\n\nWhat is it about, {please}?\nOPTIONS:\n- art\n- sport", "sport")
    assert template.asked_columns() == ("text",)


def test_a_study_names_a_file_and_a_task(tmp_path: Path) -> None:
    written(tmp_path)
    rows = [{"text": f"text {number}", "label": number % 2} for number in range(60)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told: dict[str, Any] = {"name": "t", "source": "rows.jsonl", "template": "templates.py#topic"}
    fields = {"body": "text", "answer": "choices[label]"}
    settings = TaskSettings(**told, choices=("art", "sport"), answer="{{ choices[label] }}", fields=fields)
    with pytest.raises(TemplateError, match="wording '4'.*unknown column 'choices'"):  # its answer is no choice
        prepare(settings, seed=1, folder=tmp_path)
    fields = {"body": "text", "answer": "['art', 'sport'][label]", "options": "['art', 'sport']"}
    done = prepare(TaskSettings(**told, fields=fields), seed=1, folder=tmp_path)
    assert done.test[0].choices == ("art", "sport") and done.test[0].wording == "0"
    assert len({example.wording for example in done.train}) == 6
    assert any("stray letter" in note for note in done.account["notes"])
    with pytest.raises(TemplateError, match="`fields` are for FLAN's patterns"):
        prepare(TaskSettings(**{**told, "template": "dialogsum"}, fields=fields), seed=1, folder=tmp_path)


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="unknown task 'topics'; did you mean 'topic'"):
        from_flan(written(tmp_path), task="topics")
    with pytest.raises(TemplateError, match="unknown table 'PATERNS'; did you mean 'PATTERNS'"):
        from_flan(written(tmp_path), task="PATERNS/topic")
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(TemplateError, match="the patterns cannot be read"):
        from_flan(tmp_path / "rows.jsonl", task="x")


@pytest.mark.parametrize(
    ("pattern", "received"),
    [
        ({"inputs": "One } brace {text}"}, "Single '}' encountered in format string: 'One } brace {text}'"),
        ({"inputs": "One { brace"}, "expected '}' before end of string: 'One { brace'"),
        ({"inputs": 'Reply as {"label": 1} to {text}'}, '{"label": 1}'),
        ({"inputs": "{text:>10}"}, "{text:>10}"),
        ({"inputs": "{text!r}"}, "{text!r}"),
        ({"inputs": "{text} {}"}, "{}"),
        ({"targets": "{0}"}, "{0}"),
        ({"targets": "{label.name}"}, "{label.name}"),
        ({"x_y_delimiter": "} "}, "Single '}' encountered in format string: '{text}} '"),
        ({"inputs": 3}, "`inputs` is int"),
        ({"inputs": "\ud83d {text}"}, "half a character: surrogates not allowed in `inputs`"),
    ],
)
def test_a_pattern_that_no_wording_can_say_is_refused(tmp_path: Path, pattern: dict[str, Any], received: str) -> None:
    fine = {"task": "t", "inputs": "{text}", "targets": "{label}"}
    path = tmp_path / "patterns.jsonl"
    lines = [{**fine, "task": "other"}, fine, {**fine, **pattern}, {**fine, **pattern}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(TemplateError) as caught:
        from_flan(path, task="t")
    assert str(caught.value).splitlines() == [
        "patterns.jsonl, t 1: the pattern cannot be used",
        "  expected: text with fields as {column}",
        f"  received: {received} (and 1 more)",
        "  A brace that is text is written twice: {{ or }}. What a field stands for is said in `fields`.",
    ]
    assert len(from_flan(path, task="other").wordings) == 1


def test_a_line_that_is_no_object_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "patterns.jsonl"
    path.write_text('{"task": "t", "inputs": "{text}", "targets": "{label}"}\n\n[1, 2]\n')
    with pytest.raises(TemplateError, match="the patterns cannot be read\n.*\n.*line 3 is no JSON object"):
        from_flan(path, task="t")


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "tasks", "patterns", "stray", "again"),
    [
        ("patterns_v1.jsonl", 61, 610, 9, 1),
        ("patterns_v2_zero_shot.jsonl", 97, 988, 0, 1),
        ("patterns_v2_few_shot.jsonl", 106, 1_060, 0, 8),
    ],
)
def test_all_of_flans_patterns_load(
    data_folder: Path, file: str, tasks: int, patterns: int, stray: int, again: int
) -> None:
    path = data_folder / "template_lib_flan" / file
    (known,) = read(path).values()
    templates = [from_flan(path, task=task) for task in known]
    for template in templates:
        template.check(template.used_columns(), judging=False)
    assert (len(templates), sum(len(template.wordings) for template in templates)) == (tasks, patterns)
    notes = [note for task, found in known.items() for note in lint(task, found)]
    assert sum("stray" in note for note in notes) == stray
    assert sum("again" in note for note in notes) == again
