from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from afters.data.library import ANY_LANGUAGE, CATEGORIES, from_library, library
from afters.data.render import Renderer
from afters.data.settings import TaskSettings, template_of
from afters.data.template import Template
from afters.errors import InputError, TemplateError
from afters.metrics.table import metric_for
from afters.records import Example

Row = dict[str, Any]

FORMS = {
    "alpaca": ("input", "instruction"),
    "conversation": ("question", "system", "turns"),
    "natural_instructions": ("definition", "input", "positive_examples"),
}
"""Templates for a form of rows, which bring their own instructions, and the columns that they ask with."""

TEMPLATES = [template for template in library().values() if template.name not in FORMS]

each = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


def example(template: Template, row: Row, *, wording: str | None = None) -> Example:
    references = template.references_in(list(row), judging=True)
    return Renderer("task", template, "test", 0, wording, references).example(row, id="1", source="here")


def reason(template: Template, row: Row) -> str:
    """Why the row is set aside, or nothing."""
    try:
        example(template, row)
    except InputError as problem:
        return problem.what
    return ""


def test_the_library_has_the_data_sets_it_is_for() -> None:
    several = {"amazon_reviews/rating", "amazon_reviews/review", "amazon_reviews/title"}
    single = """ag_news banking77 boolq cnn_dailymail code_translation cola commonsense_qa copa dialogsum hellaswag imdb
        mnli mrpc named_entities question_generation rte samsum squad sst2 stsb support_chats toxicity
        translation xsum"""
    assert set(library()) == several | set(single.split()) | set(FORMS)
    assert all(library()[name].asked_columns() == columns for name, columns in FORMS.items())


@each
def test_a_template_fits_its_own_row_in_every_wording(template: Template) -> None:
    template.check(list(template.row), judging=False)
    template.check(list(template.row), judging=True)
    assert set(template.used_columns()) <= set(template.row)
    for wording in template.wordings:
        made = example(template, template.row, wording=wording.id)
        assert made.references[0]
        assert bool(made.choices) == (template.choices is not None)
        assert (made.cuttable is not None) == (template.cut is not None), wording.id


@each
def test_a_template_asks_in_at_least_eight_ways_that_differ_in_more_than_spaces(template: Template) -> None:
    asked = {" ".join(template.ask(wording, template.row).prompt.casefold().split()) for wording in template.wordings}
    assert len(asked) == len(template.wordings) >= 8


@each
def test_no_wording_tells_the_answer(template: Template) -> None:
    if template.choices is None and template.name != "squad":  # its answers are words of the passage
        asked = [template.ask(wording, template.row).prompt for wording in template.wordings]
        assert not [prompt for prompt in asked if template.answer_of(template.row) in prompt]


@each
def test_a_template_says_what_it_is_and_under_which_licence(template: Template) -> None:
    assert all([template.title, template.licence, template.source, template.languages])
    assert template.category in CATEGORIES
    assert all(language == ANY_LANGUAGE or re.fullmatch("[a-z]{2,3}", language) for language in template.languages)


@each
def test_a_template_suggests_metrics_that_there_are(template: Template) -> None:
    names = [name for metric in template.metrics for name in metric_for(metric).names]
    assert template.primary in names


@each
def test_the_judged_answer_is_the_one_that_is_taught(template: Template) -> None:
    assert example(template, template.row).references[0] == template.answer_of(template.row)


LABELLED = [template for template in TEMPLATES if "label" in template.answer_columns()]


@pytest.mark.parametrize("template", LABELLED, ids=lambda template: template.name)
def test_a_label_may_be_a_number_or_its_text(template: Template) -> None:
    label = template.row["label"]
    for written in (str(label), float(label), f"{float(label)}"):  # pandas writes 1.0 where a column has gaps
        assert template.answer_of({**template.row, "label": written}) == template.answer_of(template.row)


@pytest.mark.parametrize("template", LABELLED, ids=lambda template: template.name)
@pytest.mark.parametrize("label", [-1, "-1", None, ""])
def test_a_row_without_a_label_is_set_aside(template: Template, label: object) -> None:
    assert reason(template, {**template.row, "label": label}) == "empty answer"


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("amazon_reviews/rating", "star_rating", None),
        ("amazon_reviews/rating", "star_rating", ""),
        ("boolq", "answer", None),
        ("boolq", "answer", ""),
        ("boolq", "answer", -1),
        ("commonsense_qa", "answerKey", ""),
        ("commonsense_qa", "answerKey", None),
        ("toxicity", "toxicity", None),
        ("toxicity", "toxicity", -1),
        ("squad", "answers", {"text": [], "answer_start": []}),
        ("banking77", "category", None),
    ],
)
def test_a_row_without_an_answer_is_set_aside(name: str, column: str, value: object) -> None:
    assert reason(library()[name], {**library()[name].row, column: value}) == "empty answer"


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("amazon_reviews/rating", "star_rating", 0),
        ("banking77", "category", "weather"),
        ("commonsense_qa", "answerKey", "F"),
        ("hellaswag", "label", "4"),
        ("imdb", "label", 2),
    ],
)
def test_a_label_that_is_none_of_them_is_set_aside(name: str, column: str, value: object) -> None:
    assert reason(library()[name], {**library()[name].row, column: value})


def test_labels_that_are_spelt_out_mean_what_their_numbers_mean() -> None:
    for name, words in {
        "rte": ("entailment", "not_entailment"),
        "mnli": ("entailment", "neutral", "contradiction"),
    }.items():
        found = library()[name]
        for number, word in enumerate(words):
            assert found.answer_of({**found.row, "label": number}) == found.answer_of({**found.row, "label": word})
    boolq = library()["boolq"]
    assert [boolq.answer_of({**boolq.row, "answer": said}) for said in (True, "True", 1)] == ["yes"] * 3
    assert [boolq.answer_of({**boolq.row, "answer": said}) for said in (False, "false", "0")] == ["no"] * 3


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([1, 2, 0, 3, 4, 0, 5, 0], "Clara Novak (person); Norden Bank (organisation); Geneva (place)"),
        ([0, 0, 0, 0, 0, 0, 7, 8], "Geneva . (other)"),
        ([1, 1, 0, 0, 0, 0, 0, 0], "Clara (person); Novak (person)"),
        ([0, 0, 0, 0, 0, 0, 0, 0], "none"),
    ],
)
def test_names_are_put_together_from_their_tags(tags: list[int], expected: str) -> None:
    found = library()["named_entities"]
    assert found.answer_of({**found.row, "ner_tags": tags}) == expected


def test_every_answer_of_a_judged_question_is_a_reference() -> None:
    assert example(library()["squad"], library()["squad"].row).references == ("Her daughter Ruth", "Ruth")


def test_a_name_may_be_written_with_hyphens() -> None:
    assert from_library("Support-Chats") is from_library("support_chats")


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(TemplateError, match="unknown template 'dialogsumm'; did you mean 'dialogsum'"):
        from_library("dialogsumm")
    with pytest.raises(TemplateError, match="did you mean 'amazon_reviews/rating'"):
        from_library("amazon_reviews/ratings")


def test_a_data_set_with_several_templates_names_them() -> None:
    with pytest.raises(
        TemplateError, match="one of amazon_reviews/rating, amazon_reviews/review, amazon_reviews/title"
    ):
        from_library("amazon_reviews")


def test_a_task_takes_one_of_several_templates(tmp_path: Path) -> None:
    def asked(template: str) -> Template:
        return template_of(TaskSettings(name="t", source="rows.csv", template=template), folder=tmp_path)

    assert asked("amazon_reviews/title").answer == "{{ review_title }}"
    (tmp_path / "my.toml").write_text(
        '[templates.a]\nanswer = "{{ b }}"\n[[templates.a.wordings]]\nid = "x"\nprompt = "{{ c }}"\n'
    )
    assert asked("my.toml/a").name == "my/a"
    with pytest.raises(TemplateError, match="one of my.toml/a"):
        asked("my.toml")
