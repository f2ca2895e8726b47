from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from afters.data.template import Template, from_file, from_settings
from afters.errors import InputError, Problems, TemplateError


def template(**settings: Any) -> Template:
    wordings = [{"id": "first", "prompt": "Sum up: {{ chat }}"}, {"id": "second", "prompt": "{{ chat }}\n{{ hint }}"}]
    return from_settings({"name": "chats", "wordings": wordings, "answer": "{{ summary }}", **settings}, where="test")


def problems(checked: Template, columns: list[str], *, judging: bool = False) -> list[str]:
    try:
        checked.check(columns, judging=judging, file="a.csv")
    except Problems as several:
        return [str(problem) for problem in several.problems]
    except InputError as problem:
        return [str(problem)]
    return []


def test_a_fitting_template_has_no_problems() -> None:
    assert problems(template(), ["chat", "hint", "summary", "other"]) == []


def test_an_unknown_column_is_told_once_with_the_nearest_and_its_line() -> None:
    (told,) = problems(template(), ["chats", "hint", "summary"])
    assert told.startswith(
        "a.csv, template 'chats', wording 'first', line 1: unknown column 'chat'; did you mean 'chats'?"
    )
    (told,) = problems(template(), ["chat", "hints", "summary"])
    assert "wording 'second', line 2: unknown column 'hint'; did you mean 'hints'?" in told


def test_all_problems_are_told_together() -> None:
    wordings = [{"id": "a", "prompt": "{{ chat"}, {"id": "b", "prompt": "{{ ''.__class__ }}"}]
    told = problems(template(wordings=wordings, cut="chatt"), ["chat"])
    assert len(told) == 4
    assert "template 'chats', wording 'a', line 1: the template is broken" in told[0]
    assert "wording 'b', line 1: the template reaches for more than its row" in told[1]
    assert "received: __class__" in told[1]
    assert "answer, line 1: unknown column 'summary'" in told[2]
    assert "unknown column 'chatt'; did you mean 'chat'?" in told[3]


def test_a_judging_side_may_have_references_instead_of_the_answer() -> None:
    referring = template(references=["summary1", "summary2"])
    assert problems(referring, ["chat", "hint", "summary1", "summary2"], judging=True) == []
    assert problems(referring, ["chat", "hint", "summary"], judging=True) == []
    assert len(problems(referring, ["chat", "hint", "summary1", "summary2"], judging=False)) == 1
    (told,) = problems(referring, ["chat", "hint", "summary1", "summary"], judging=True)
    assert "unknown column 'summary2'" in told


def test_references_may_be_an_expression_that_gives_a_list() -> None:
    referring = template(references="{{ answers.text }}", answer="{{ answers.text[0] }}")
    assert referring.reference_columns() == ("answers",)
    assert referring.references_in(["chat", "answers"], judging=True) == ("answers",)
    assert referring.references_in(["chat", "answers"], judging=False) == ()
    assert referring.references_of({"answers": {"text": ["four ", "", 4]}}) == ("four", "4")
    with pytest.raises(TemplateError, match="the references are no list"):
        referring.references_of({"answers": {"text": "four"}})
    with pytest.raises(TemplateError, match="wrong setting 'references'"):
        template(references="answers")
    with pytest.raises(TemplateError, match="the template is broken"):
        template(references="{{ answers. }}")


def test_wordings_that_show_nothing_are_refused() -> None:
    (told,) = problems(template(wordings=[{"id": "a", "prompt": "Say something."}]), ["chat", "summary"])
    assert "the wordings show nothing of the row" in told


def test_choices_are_a_list_or_a_column_and_can_be_used() -> None:
    listed = template(choices=["no", "yes"], answer="{{ choices[label] }}")
    assert listed.answer_of({"chat": "a", "hint": "", "label": 1}) == "yes"
    assert listed.answer_columns() == ("label",)
    asked = template(
        choices="{{ options }}",
        wordings=[{"id": "a", "prompt": "{{ chat }} {{ choices | join('/') }}"}],
        answer="{{ gold }}",
    )
    assert asked.asked_columns() == ("chat", "options")
    assert asked.ask(asked.wording(), {"chat": "?", "options": ["x", 2]})[:2] == ("? x/2", "")
    with pytest.raises(TemplateError, match="no list"):
        asked.choices_of({"options": "x, y"})
    with pytest.raises(TemplateError, match="wrong setting 'choices"):
        template(choices="options")


def test_content_covers_all_wordings_and_the_system_part() -> None:
    assert template().asked_columns() == ("chat", "hint")
    assert template(wordings=[{"id": "a", "prompt": "{{ chat }}", "system": "{{ tone }}"}]).asked_columns() == (
        "chat",
        "tone",
    )


def test_an_unknown_wording_names_the_nearest() -> None:
    with pytest.raises(TemplateError, match="unknown wording 'frist'; did you mean 'first'"):
        template().wording("frist")
    assert template().wording() == template().wordings[0]


def test_the_fingerprint_covers_what_is_rendered_only() -> None:
    assert template(title="Chats").fingerprint() == template().fingerprint()
    assert template(answer="{{ chat }}").fingerprint() != template().fingerprint()


def test_a_template_keeps_the_fingerprint_it_had_before_wordings_could_answer() -> None:
    wordings = [
        {"id": "first", "prompt": "Sum up: {{ chat }}"},
        {"id": "second", "prompt": "{{ chat }}\n{{ hint }}", "system": "Be brief."},
    ]
    known = template(wordings=wordings, choices=["a", "b"], references=["s1"], cut="chat").fingerprint()
    digest = "c42178d18302bd3271d1378c38e71044403e91bd7e11afbd00d5107e68a37d84"  # of commit cdaf774
    assert hashlib.sha256(known.encode()).hexdigest() == digest
    wordings[1]["answer"] = "{{ hint }}"
    assert template(wordings=wordings).fingerprint() != template(wordings=wordings[:1]).fingerprint()
    told = [{**wordings[0], "metrics": ["rouge"], "choices_in_prompt": True}]
    assert template(wordings=told).fingerprint() == template(wordings=wordings[:1]).fingerprint()


INVERTED = {"id": "back", "prompt": "Write a chat: {{ summary }}", "answer": "{{ chat }}", "inverted": True}
OWN = {"id": "mood", "prompt": "{{ chat }} Friendly?", "answer": "{{ choices[mood] }}", "choices": ["no", "yes"]}
USUAL = {"id": "usual", "prompt": "{{ chat }}"}


def test_a_wording_may_have_an_answer_and_choices_of_its_own() -> None:
    several = template(wordings=[USUAL, OWN, INVERTED], choices=["a", "b"])
    usual, own, back = several.wordings
    row = {"chat": "hi", "summary": "a greeting", "mood": 1}
    assert [several.answer_of(row, wording) for wording in (usual, own, back)] == ["a greeting", "yes", "hi"]
    assert [several.ask(wording, row).choices for wording in (usual, own, back)] == [("a", "b"), ("no", "yes"), ()]
    assert several.answer_columns(own) == ("mood",)
    assert several.used_columns() == ("chat", "mood", "summary")
    alone = from_settings({"name": "x", "wordings": [OWN]}, where="test")
    assert alone.answer == "" and problems(alone, ["chat", "mood"]) == []
    with pytest.raises(TemplateError, match="wrong setting 'answer'"):
        from_settings({"name": "x", "wordings": [OWN, USUAL]}, where="test")
    with pytest.raises(InputError, match="a list of answers, or an expression"):
        template(wordings=[{**OWN, "choices": "options"}])


def test_a_promptsource_text_has_its_answer_and_choices_in_text() -> None:
    text = {"id": "a", "prompt": "{{ chat }} ||| {{ mood }}", "dialect": "promptsource", "choices": "good ||| bad"}
    found = from_settings({"name": "x", "wordings": [text]}, where="test")
    assert found.ask(found.wording(), {"chat": "hi", "mood": "good"}) == ("hi", "", ("good", "bad"), "good")
    for wrong in ({"answer": "{{ mood }}"}, {"system": "Be brief."}, {"choices": ["good", "bad"]}):
        with pytest.raises(InputError, match="with its answer behind"):
            from_settings({"name": "x", "wordings": [{**text, **wrong}]}, where="test")


def test_an_inverted_wording_decides_no_split_and_never_judges() -> None:
    several = template(wordings=[INVERTED, USUAL])
    assert several.asked_columns() == ("chat",)
    assert several.wording().id == "usual"
    with pytest.raises(TemplateError, match="the wording 'back' is inverted: it can teach, but not judge"):
        several.wording("back")
    assert problems(several, ["chat", "summary"]) == []
    referring = template(wordings=[INVERTED, USUAL], references=["one"])
    assert problems(referring, ["chat", "one"], judging=True) == []
    assert len(problems(referring, ["chat", "one"], judging=False)) == 1


def test_a_template_file_is_read_and_its_mistakes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('answer = "{{ a }}"\n[[wordings]]\nid = "x"\nprompt = """\n{{ q }}"""\n')
    assert from_file(path).name == "mine"
    path.write_text('anwser = "{{ a }}"\n[[wordings]]\nid = "x"\nprompt = 3\n')
    with pytest.raises(Problems) as caught:
        from_file(path)
    told = str(caught.value)
    assert "unknown setting 'anwser'; did you mean 'answer'?" in told
    assert "wrong setting 'wordings.0.prompt'" in told
    assert "wrong setting 'answer'" in told
    path.write_text("answer = ")
    with pytest.raises(TemplateError, match="mine.toml: the template cannot be read"):
        from_file(path)
    with pytest.raises(TemplateError, match="Did you mean 'mine.toml'"):
        from_file(tmp_path / "mein.toml")


def test_a_file_may_hold_several_templates_that_share_what_stands_above(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    part = '[templates.{0}]\nanswer = "{{{{ {0} }}}}"\n[[templates.{0}.wordings]]\nid = "x"\nprompt = "{{{{ q }}}}"\n'
    path.write_text('licence = "ours"\n' + part.format("title") + part.format("body"))
    found = from_file(path, part="body")
    assert (found.name, found.licence, found.answer) == ("mine/body", "ours", "{{ body }}")
    with pytest.raises(TemplateError, match="'mine.toml' holds several templates\n.*mine.toml/title, mine.toml/body"):
        from_file(path)
    with pytest.raises(TemplateError, match="unknown template 'mine.toml/tilte'; did you mean 'mine.toml/title'"):
        from_file(path, part="tilte")
    path.write_text(part.format("title").replace("answer =", "anwser ="))
    with pytest.raises(Problems, match="mine.toml, templates.title: unknown setting 'anwser'; did you mean 'answer'"):
        from_file(path, part="title")
    path.write_text("templates = 3")
    with pytest.raises(TemplateError, match="wrong setting 'templates'"):
        from_file(path)


def test_two_wordings_of_one_id_are_refused() -> None:
    with pytest.raises(TemplateError, match="two wordings of one id"):
        template(wordings=[{"id": "a", "prompt": "{{ x }}"}, {"id": "a", "prompt": "{{ y }}"}])
