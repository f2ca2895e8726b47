from __future__ import annotations

import doctest

import pytest

from afters.errors import ModelError
from afters.model import address as home
from afters.model.address import Address, is_address, key_for

KEY = "sk-very-secret-1234567890"


def test_an_address_says_where_whom_and_how() -> None:
    address = Address.parse("http://localhost:8000/v1/#qwen2.5-7b")
    assert (address.url, address.model, address.chat) == ("http://localhost:8000/v1", "qwen2.5-7b", True)
    plain = Address.parse("completions:https://example.com/v1#org/gpt2=gpt2-xl")
    assert (plain.model, plain.answers_as, plain.chat) == ("org/gpt2", "gpt2-xl", False)
    for text in ("http://localhost:8000/v1#qwen2.5-7b", "completions:https://example.com/v1#org/gpt2=gpt2-xl"):
        assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("http://localhost/v1#m", True),
        ("completions:https://x/v1", True),
        ("afters-tiny", False),
        ("google/flan-t5-base", False),
        ("/models/http", False),
    ],
)
def test_a_model_s_name_is_an_address_when_it_begins_like_one(name: str, right: bool) -> None:
    assert is_address(name) is right


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:{KEY}@example.com/v1#m",
        f"https://{KEY}@example.com/v1#m",
        f"https://example.com/v1?key={KEY}#m",
        f"https://me:{KEY}#1@example.com/v1#m",
        f"https://example.com/v1#m#{KEY}",
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ModelError) as told:
        Address.parse(text)
    assert KEY not in str(told.value) and "AFTERS_API_KEY" in str(told.value)


@pytest.mark.parametrize(
    "text", ["http://localhost:8000/v1", "http:///v1#m", "http://localhost:port/v1#m", "http://h#"]
)
def test_an_address_that_leaves_something_out_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"http://localhost:8000/v1#qwen2\.5-7b"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("asked", "replied", "right"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18", True),
        ("gpt-4", "gpt-4-0613", True),
        ("claude", "claude-20241022", True),
        ("gemini@001", "gemini@001", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("llama-3", "llama-3-70b", False),
        ("gpt-4o", "gpt-4", False),
        ("deployment=gpt-4o", "gpt-4o-2024-08-06", True),
        ("deployment=gpt-4o", "deployment", False),
    ],
)
def test_a_dated_state_of_a_model_is_the_model_and_another_size_is_not(asked: str, replied: str, right: bool) -> None:
    assert Address.parse(f"http://localhost/v1#{asked}").is_name(replied) is right


def test_openai_s_key_goes_to_openai_and_to_this_machine_alone() -> None:
    environment = {"OPENAI_API_KEY": f" {KEY}\n"}
    for url, key in (
        ("https://api.openai.com/v1", KEY),
        ("http://api.openai.com/v1", ""),
        ("http://localhost:8000/v1", KEY),
        ("https://openai.com.example.com/v1", ""),
        ("https://example.com/v1", ""),
    ):
        assert key_for(Address.parse(f"{url}#m"), environment=environment) == key
    both = {**environment, "AFTERS_API_KEY": "ours"}
    for url in ("https://api.openai.com/v1", "https://example.com/v1"):
        assert key_for(Address.parse(f"{url}#m"), environment=both) == "ours"


def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelError, match="AFTERS_API_KEY") as told:
        key_for(Address.parse("https://example.com/v1#m"), environment={"AFTERS_API_KEY": f"{KEY}\nx"})
    assert KEY not in str(told.value)


def test_the_example_in_its_docstring_runs() -> None:
    assert doctest.testmod(home).failed == 0
