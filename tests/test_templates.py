from __future__ import annotations

import io
import json
import re
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from afters.data.library import CATEGORIES, library
from afters.data.template import from_settings, templates_in
from afters.errors import TemplateError
from afters.templates import find_templates, print_template, print_templates, shown, summary


def console(*, width: int = 100) -> Console:
    return Console(file=io.StringIO(), width=width)


def printed(on: Console) -> str:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_all_templates_are_found_by_category_and_name() -> None:
    found = find_templates()
    assert len(found) == len(library())
    assert list(dict.fromkeys(template.category for template in found)) == list(CATEGORIES)


def test_a_category_or_a_language_narrows_the_list() -> None:
    assert [template.name for template in find_templates(category="similarity")] == ["mrpc", "stsb"]
    names = [template.name for template in find_templates(language="de")]
    assert names == ["named_entities", "code_translation", "translation", "alpaca", "conversation"]
    assert len(find_templates(language="en")) == len(library())


def test_a_template_without_a_row_shows_its_texts() -> None:
    wordings = [{"id": "a", "prompt": "{{ chat }}?"}]
    found = from_settings({"name": "t", "wordings": wordings, "answer": "{{ s }}", "notes": ["One."]}, where="test")
    told = shown(found)
    assert (told["asked"], told["taught"], told["notes"]) == ({"a": "{{ chat }}?"}, "{{ s }}", ["One."])
    on = console()
    print_template(found, on)
    assert "licence" not in printed(on) and "One." in printed(on)


def test_a_wrong_category_or_language_is_told() -> None:
    with pytest.raises(TemplateError, match="unknown category 'sentimental'; did you mean 'sentiment'"):
        find_templates(category="sentimental")
    with pytest.raises(TemplateError, match="'German' is no language"):
        find_templates(language="German")


def test_the_list_shows_every_name_whole_in_a_narrow_terminal() -> None:
    narrow = console(width=80)
    print_templates(find_templates(), narrow)
    assert all(name in printed(narrow) for name in library())


def test_a_template_is_shown_on_its_row_in_every_wording() -> None:
    wide = console(width=1_000)
    print_template(library()["copa"], wide)
    told = printed(wide)
    for wording in library()["copa"].wordings:
        assert wording.id in told
    assert told.count("The pond froze over.") == len(library()["copa"].wordings)
    assert "licence: BSD 2-Clause" in told
    assert "answer" in told and "choices" in told and "references" not in told
    print_template(library()["squad"], wide)
    assert "references" in printed(wide)


def test_what_acts_on_a_terminal_is_made_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(library()["imdb"].row, "text", "fine \x1b[2J")
    plain = console()
    print_template(library()["imdb"], plain)
    assert "\x1b" not in printed(plain)


def test_both_forms_are_told_as_json() -> None:
    for template in find_templates():
        told = json.loads(json.dumps(shown(template)))
        assert summary(template).items() <= told.items()
        assert told["asked"].keys() == told["prompts"].keys() == set(told["wordings"])
    assert shown(library()["stsb"])["columns"] == ["label", "sentence1", "sentence2"]


PAGE = (Path(__file__).resolve().parents[1] / "docs" / "templates.md").read_text(encoding="utf-8")


def test_the_page_of_the_docs_lists_the_library() -> None:
    for category in CATEGORIES:
        (line,) = re.findall(rf"^\| {category} \| (.*) \|$", PAGE, flags=re.MULTILINE)
        assert re.findall("`(.*?)`", line) == [template.name for template in find_templates(category=category)]


def test_templates_on_the_page_of_the_docs_can_be_used() -> None:
    written = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)]
    found = [templates_in(content, name="tickets", where="page") for content in written if "task" not in content]
    one, (team, subject) = found
    row = {"message": "My bill is wrong.", "label": "1", "team": "billing", "subject": "Wrong bill"}
    assert [template.answer_of(row) for template in (*one, team, subject)] == ["support", "billing", "Wrong bill"]
    for template in (*one, team, subject):
        template.check(list(row), judging=True)
