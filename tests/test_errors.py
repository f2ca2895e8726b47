from __future__ import annotations

import doctest

import pytest

from afters import errors
from afters.errors import (
    AftersError,
    DataError,
    InputError,
    Problems,
    SettingsError,
    nearest,
    raise_together,
    unknown,
)


def test_a_message_has_all_its_parts_in_order_and_none_that_is_not_there() -> None:
    whole = DataError("no such column", where="a.csv:3", expected="'text'", received="'txt'", hint="Look again.")
    assert str(whole) == "a.csv:3: no such column\n  expected: 'text'\n  received: 'txt'\n  Look again."
    assert str(DataError("no such column")) == "no such column"
    assert (whole.what, whole.where, whole.hint) == ("no such column", "a.csv:3", "Look again.")


def test_one_problem_is_raised_as_itself_and_several_are_told_together() -> None:
    raise_together([])
    first, second = SettingsError("first"), DataError("second", where="a.csv")
    with pytest.raises(SettingsError) as caught:
        raise_together([first])
    assert caught.value is first
    with pytest.raises(Problems) as together:
        raise_together([first, second])
    assert together.value.problems == (first, second)
    assert str(together.value) == "2 problems:\n- first\n- a.csv: second"
    with pytest.raises(Problems) as nested:
        raise_together([Problems([first]), second])
    assert nested.value.problems == (first, second)


def test_every_error_that_is_the_users_is_an_input_error() -> None:
    tree = {name for name in vars(errors) if isinstance(vars(errors)[name], type)}
    kinds = {name for name in tree if issubclass(vars(errors)[name], InputError)}
    assert {"SettingsError", "DataError", "TemplateError", "ModelError", "RunFolderError", "Problems"} <= kinds
    assert issubclass(InputError, AftersError)
    told = errors.__doc__ or ""
    assert all(name in told for name in kinds), "the tree in the docstring is whole"


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("Rouge1", ["rouge1", "bleu"]) == "rouge1"
    assert nearest("lerning_rate", ["learning_rate", "warmup"]) == "learning_rate"
    assert nearest("ROUGEL", ["rougeL"]) == "rougeL"
    assert nearest("xyz", ["rouge1", "bleu"]) is None
    assert nearest("anything", []) is None


def test_an_unknown_name_is_told_with_the_choice_there_is() -> None:
    assert unknown("verb", "zzz", ["run"]) == "unknown verb 'zzz' (known: run)"
    assert unknown("verb", "zzz", []) == "unknown verb 'zzz' (known: none)"
    told = unknown("verb", "v7", [f"v{number:02}" for number in range(30)])
    assert told.endswith("v18, v19, …)")
    assert "v20" not in told


def test_the_examples_in_its_docstrings_run() -> None:
    assert doctest.testmod(errors).failed == 0
