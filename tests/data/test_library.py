from __future__ import annotations

import pytest

from afters.data.library import from_library, library
from afters.errors import TemplateError

COLUMNS = {"dialogsum": "dialogue", "support_chats": "chat"}


def test_every_template_fits_the_columns_it_is_for() -> None:
    assert set(library()) == set(COLUMNS)
    for name, asked in COLUMNS.items():
        found = library()[name]
        found.check([asked, "summary"], judging=False)
        found.check([asked, "summary1", "summary2", "summary3"], judging=True)
        assert found.asked_columns() == (asked,)


def test_every_template_asks_in_at_least_eight_different_ways() -> None:
    for found in library().values():
        row = {name: f"[{name}]" for name in found.used_columns()}
        prompts = {found.render(wording, row)[0] for wording in found.wordings}
        assert len(prompts) == len(found.wordings) >= 8
        assert all(f"[{found.cut}]" in prompt for prompt in prompts)


def test_every_template_says_what_it_is_and_under_which_licence() -> None:
    for found in library().values():
        assert all([found.title, found.category, found.languages, found.licence, found.source, found.metrics])


def test_a_name_may_be_written_with_hyphens() -> None:
    assert from_library("Support-Chats") is from_library("support_chats")


def test_an_unknown_template_names_the_nearest() -> None:
    with pytest.raises(TemplateError, match="unknown template 'dialogsumm'; did you mean 'dialogsum'"):
        from_library("dialogsumm")
