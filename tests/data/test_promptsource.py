from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dummy_rows import dummy_rows

from afters.data.promptsource import from_promptsource
from afters.data.task import TaskSettings, prepare
from afters.data.template import Template, Wording
from afters.errors import InputError, Problems, TemplateError

HEAD = "dataset: news\nsubset: null\ntemplates:\n"


def entry(name: str, jinja: str, *, choices: str | None = None, original: bool = True, metrics: str = "Other") -> str:
    return f"""\
  {name}-id: !Template
    answer_choices: {json.dumps(choices)}
    id: {name}-id
    jinja: {json.dumps(jinja)}
    metadata: !TemplateMetadata
      choices_in_prompt: false
      languages: [en]
      metrics: [{metrics}]
      original_task: {json.dumps(original)}
    name: {name}
    reference: ''
"""


def written(folder: Path, *entries: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "templates.yaml").write_text(HEAD + "".join(entries))
    return folder


CLASSIFY = entry(
    "classify",
    "{% set shown = text | upper %}{% if label != -1 %}What is it?\n{{ shown }} ||| {{ answer_choices[label] }}"
    "{% endif %}",
    choices="Sport ||| Politics ||| {{ third }}",
    metrics="Accuracy",
)
INVERTED = entry("write", "Write about {{ answer_choices[label] }}. ||| {{ text }}", choices="a ||| b", original=False)


def asked(template: Template, row: dict[str, Any], name: str | None = None) -> tuple[str, str | None, tuple[str, ...]]:
    found = template.ask(template.wording(name), row)
    return found.prompt, found.answer, found.choices


def test_question_answer_and_choices_come_of_one_text(tmp_path: Path) -> None:
    template = from_promptsource(written(tmp_path / "news", CLASSIFY, INVERTED))
    assert (template.name, template.languages) == ("news", ("en",))
    row = {"text": "goal", "label": 1, "third": "Art"}
    assert asked(template, row) == ("What is it?\nGOAL", "Politics", ("Sport", "Politics", "Art"))
    assert [(wording.id, wording.inverted, wording.metrics) for wording in template.wordings] == [
        ("classify", False, ("accuracy",)),
        ("write", True, ()),
    ]
    assert template.ask(template.wordings[1], row).answer == "goal"


def test_a_guarded_row_is_left_out_with_its_reason(tmp_path: Path) -> None:
    template = from_promptsource(written(tmp_path / "news", CLASSIFY))
    with pytest.raises(InputError, match="the template leaves this row out"):
        asked(template, {"text": "goal", "label": -1, "third": "Art"})


def test_bars_in_a_row_part_nothing(tmp_path: Path) -> None:
    template = from_promptsource(written(tmp_path / "news", entry("a", "Say: {{ text }} ||| {{ answer }}")))
    assert asked(template, {"text": "x ||| y", "answer": "p|||q"})[:2] == ("Say: x ||| y", "p|||q")


def test_content_is_what_the_question_shows(tmp_path: Path) -> None:
    template = from_promptsource(written(tmp_path / "news", CLASSIFY, INVERTED))
    assert template.asked_columns() == ("text",)  # neither the label, which guards and answers, nor the inverted one's
    assert template.used_columns() == ("label", "text", "third")
    listed = entry(
        "listed", "{% for one in answer_choices %}{{ one }}{% endfor %} ||| {{ gold }}", choices="{{ options }}"
    )
    chosen = entry("chosen", "{% if kind == 'x' %}Why{% else %}How{% endif %}? ||| {{ gold }}")
    template = from_promptsource(written(tmp_path / "news", listed, chosen))
    assert template.asked_columns() == ("kind", "options")


def test_templates_that_no_row_can_be_asked_with_are_refused_one_by_one(tmp_path: Path) -> None:
    broken = [
        entry("open", "{{ text ||| {{ label }}"),
        entry("whole", "{{ text }}"),
        entry("three", "{{ text }} ||| a ||| b"),
        entry("reach", "{{ text.__class__ }} ||| b"),
    ]
    template = from_promptsource(written(tmp_path / "news", CLASSIFY, *broken))
    assert [wording.id for wording in template.wordings] == ["classify"]
    told = " ".join(template.notes)
    assert len(template.notes) == 4
    for part in ("'open' is refused: the template is broken", "no '|||'", "more than one '|||'", "__class__"):
        assert part in told
    with pytest.raises(TemplateError, match="no template can be used"):
        from_promptsource(written(tmp_path / "news", *broken))


def test_a_missing_column_is_told_at_once_unless_the_template_asks_for_it(tmp_path: Path) -> None:
    guarded = entry("g", "{{ text }}{% if hint %} ({{ hint }}){% endif %} ||| {{ answer }}")
    template = from_promptsource(written(tmp_path / "news", guarded, CLASSIFY))
    template.check(["text", "answer", "label", "third"], judging=False)
    with pytest.raises(Problems) as caught:
        template.check(["txt", "answer"], judging=False, file="rows.csv")
    told = str(caught.value)
    assert "rows.csv, template 'news', wording 'g', line 1: unknown column 'text'; did you mean 'txt'?" in told
    assert "unknown column 'label'" in told and "unknown column 'third'" in told and "'hint'" not in told


def test_chance_comes_from_the_seed(tmp_path: Path) -> None:
    template = from_promptsource(written(tmp_path / "news", entry("r", "{{ [1, 2, 3, 4] | choice }} {{ text }} ||| a")))
    drawn = [template.ask(template.wording(), {"text": ""}, seed=seed).prompt for seed in (1, 1, *range(20))]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 4


def test_a_file_with_other_tags_or_without_templates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "templates.yaml").write_text("templates: !!python/object/apply:os.system [echo]\n")
    with pytest.raises(TemplateError, match="the templates cannot be read"):
        from_promptsource(tmp_path)
    (tmp_path / "templates.yaml").write_text("a: 1\n")
    with pytest.raises(TemplateError, match="no promptsource file"):
        from_promptsource(tmp_path)
    (tmp_path / "templates.yaml").unlink()
    written(tmp_path / "news", CLASSIFY)
    with pytest.raises(TemplateError, match=r"Name one of them, as '.*/news'"):
        from_promptsource(tmp_path)


def test_a_study_names_a_folder_and_judges_with_a_usual_wording(tmp_path: Path) -> None:
    written(tmp_path / "news", INVERTED, CLASSIFY, entry("three", "{{ text }} ||| a ||| b"))
    rows = [{"text": f"text {number}", "label": number % 4 - 1, "third": "Art"} for number in range(80)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = prepare(TaskSettings(name="n", source="rows.jsonl", template="news"), seed=1, folder=tmp_path)
    assert done.metrics == ("accuracy",) and done.primary is None and done.choices
    assert {example.wording for example in done.test} == {"classify"}
    assert {example.wording for example in done.train} == {"classify", "write"}
    assert any("'three' is refused" in note for note in done.account["notes"])
    assert {group["reason"] for group in done.account["set_aside"]} == {"the template leaves this row out"}
    shot = done.test.with_shots(1, pool=done.train)[0].shots[0]
    assert shot.question.startswith("What is it?") and shot.answer in ("Sport", "Politics", "Art")
    with pytest.raises(TemplateError, match="`answer` changes nothing"):
        prepare(TaskSettings(name="n", source="rows.jsonl", template="news", answer="{{ x }}"), seed=1, folder=tmp_path)
    with pytest.raises(TemplateError, match="it can teach, but not judge"):
        again = TaskSettings(name="n", source="rows.jsonl", template="news", judge_wording="write")
        prepare(again, seed=1, folder=tmp_path)


@pytest.mark.data
def test_samsums_prompts_are_those_of_t0_byte_for_byte(data_folder: Path) -> None:
    template = from_promptsource(data_folder / "template_lib_promptsource" / "samsum", truncate=True)
    with (data_folder / "samsum" / "train.jsonl").open() as lines:
        rows = [json.loads(next(lines)) for _ in range(1_000)]
    compared = 0
    for wording in template.wordings:
        made = set()
        for row in rows:
            try:
                found = template.ask(wording, row)
            except InputError:
                continue
            # The carrier of these prompts ends each with a line break, and each answer with a token that ends a text.
            made.add((found.prompt + "\n", f"{found.answer}<|endoftext|>"))
        name = "".join(letter if letter.isalnum() else "_" for letter in wording.id)
        (file,) = (data_folder / "template_golden").glob(f"samsum_{name}.jsonl")
        for line in file.read_text().splitlines():
            golden = json.loads(line)
            assert (golden["prompt"], golden["completion"]) in made
            compared += 1
    assert compared == 1_400


def renders(template: Template, wording: Wording) -> bool:
    for row in dummy_rows(wording.prompt, wording.choices if isinstance(wording.choices, str) else ""):
        try:
            template.ask(wording, row)
        except InputError:
            continue
        return True
    return False


@pytest.mark.slow
@pytest.mark.data
def test_nearly_all_of_promptsource_renders_on_made_up_rows(data_folder: Path) -> None:
    templates = [
        from_promptsource(file) for file in (data_folder / "template_lib_promptsource").rglob("templates.yaml")
    ]
    wordings = [(template, wording) for template in templates for wording in template.wordings]
    refused = [note for template in templates for note in template.notes if "is refused" in note]
    failed = [f"{template.name}: {wording.id}" for template, wording in wordings if not renders(template, wording)]
    print("\n".join([*refused, *failed]))
    assert len(wordings) + len(refused) == 2_085
    assert len(failed) + len(refused) <= 0.02 * 2_085
