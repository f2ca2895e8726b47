"""The library of templates, told to whoever looks for one: a list by category, and one of them on a row of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from afters.data.library import ANY_LANGUAGE, CATEGORIES, library
from afters.data.template import Template
from afters.errors import TemplateError, unknown
from afters.report.inert import inert


def find_templates(*, category: str | None = None, language: str | None = None) -> list[Template]:
    """Return the templates of a category and for rows of a language, by category and name.

    Raises:
        TemplateError: there is no such category, or that is no code of a language.
    """
    if category is not None and category not in CATEGORIES:
        raise TemplateError(unknown("category", category, CATEGORIES))
    if language is not None and not (language.isalpha() and len(language) in (2, 3)):
        raise TemplateError(f"'{language}' is no language", expected="its code of two or three letters, as en")
    order = list(CATEGORIES)
    fitting = [
        template
        for template in library().values()
        if category in (None, template.category)
        and (language is None or {language, ANY_LANGUAGE} & set(template.languages))
    ]
    return sorted(fitting, key=lambda template: (order.index(template.category), template.name))


def summary(template: Template) -> dict[str, Any]:
    """Return what a template is, ready for JSON."""
    told = ("name", "title", "category", "languages", "licence", "source", "metrics", "primary")
    return template.model_dump(mode="json", include=set(told)) | {
        "columns": list(template.used_columns()),
        "wordings": [wording.id for wording in template.wordings],
    }


def shown(template: Template) -> dict[str, Any]:
    """Return a template and what it makes of its own row, ready for JSON; without a row, what it says of any."""
    row = template.row
    return summary(template) | {
        "row": row,
        "prompts": {wording.id: wording.prompt for wording in template.wordings},
        "asked": {
            wording.id: template.ask(wording, row).prompt if row else wording.prompt for wording in template.wordings
        },
        "answer": template.answer,
        "taught": template.answer_of(row) if row else template.answer,
        "choices": list(template.choices_of(row)) if row else [],
        "references": list(template.references_of(row)) if row else [],
        "notes": list(template.notes),
    }


def print_templates(templates: Sequence[Template], console: Console) -> None:
    """Print a list of templates, a section for each category."""
    longest = max((len(template.name) for template in templates), default=0)  # a name cut short could not be typed
    table = Table(Column("name", min_width=longest), "what it asks", "decides", "licence of the data set")
    for category, members in groupby(templates, key=lambda template: template.category):
        table.add_section()
        table.add_row(Text(category, style="bold"), Text(CATEGORIES[category], style="bold"))
        for template in members:
            table.add_row(template.name, template.title, template.primary, template.licence)
    console.print(table)
    console.print("afters templates NAME shows one on a row.", highlight=False)


def print_template(template: Template, console: Console) -> None:
    """Print one template: what it is, and every wording, the answer and the choices for its own row."""
    told = shown(template)
    console.print(Text(told["title"], style="bold"))
    for part in ("category", "languages", "columns", "metrics", "primary", "licence", "source"):
        if value := told[part]:
            console.print(Text(f"{part}: {', '.join(value) if isinstance(value, list) else value}"))
    for wording, asked in told["asked"].items():
        console.rule(wording, align="left")
        console.print(Text(inert(asked)))
    console.rule("answer", align="left")
    console.print(Text(inert(told["taught"]), style="green"))
    for part in ("choices", "references", "notes"):
        if told[part]:
            console.rule(part, align="left")
            console.print(Text(inert("\n".join(told[part]))))
