"""What is taught in a chat is what the tokenizer makes of the whole of it, up to the end of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from chat_templates import CHATML, GEMMA, LLAMA_2, QWEN_3, STYLES, Style
from real_tokenizers import gpt2, llama_2
from tiny_models import SENTENCES, Tiny
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from afters.errors import ModelError
from afters.model.prompt import Prompter
from afters.records import Example, Shot

Pieces = Literal["bytes", "sentences"]
Make = Callable[[Pieces], Any]

SHOTS = (Shot("Is it cold?", "yes"), Shot("  Is the lamp new? ", "no, 5 years old"))

ANSWERS = (
    "yes",
    "Ann wants it sent to her office on Tuesday.",
    "1. a lamp\n2. a kettle",
    '"no" (it isn\'t)',
    "🙂 5 pm!",
)

ASKED = ("Is the parcel late?", "What does the customer want?\n\n- a refund\n- a new lamp", "42", "  It is cold \n")


@pytest.fixture
def make(tiny: Tiny) -> Make:
    """Give a fresh tiny tokenizer: of bytes as GPT-2's, or of pieces of sentences as Llama 2's."""
    return lambda pieces: AutoTokenizer.from_pretrained(tiny("llama")) if pieces == "bytes" else sentencepiece()


def sentencepiece() -> Any:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_sentencepiece()), unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@cache
def _sentencepiece() -> str:
    """Train a tokenizer with Llama 2's layout: a mark for spaces, one before each text, bytes for the unknown."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [word for text in SENTENCES for word in text.split()]
    made.train_from_iterator(words, trainers.BpeTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    state = json.loads(made.to_str())
    # The bytes are pieces like others, not control tokens.
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    return json.dumps(state)


def with_style(tokenizer: Any, style: Style) -> Any:
    added = [AddedToken(name, special=True, rstrip=name in style.swallows) for name in style.controls]
    tokenizer.add_special_tokens({"additional_special_tokens": added})
    tokenizer.chat_template = style.template
    return tokenizer


def prompter(tokenizer: Any) -> Prompter:
    return Prompter(tokenizer, encoder_decoder=False, max_prompt_tokens=100_000)


def example(prompt: str, *, system: str = "", shots: tuple[Shot, ...] = ()) -> Example:
    return Example("1", "chats", "chats.csv:2", prompt, "0", prompt, ("yes",), system=system, shots=shots)


def messages(asked: Example) -> list[dict[str, str]]:
    made = [{"role": "system", "content": asked.system}] if asked.system else []
    for shot in asked.shots:
        made += [{"role": "user", "content": shot.question}, {"role": "assistant", "content": shot.answer}]
    return [*made, {"role": "user", "content": asked.prompt}]


def check(tokenizer: Any, style: Style, *, systems: tuple[str, ...] = ("", "Be short.")) -> None:
    """Hold prompts and answers against the tokenizer's own reading of the conversation."""
    made = prompter(tokenizer)
    end = tokenizer.convert_tokens_to_ids(style.end)
    for system in systems if style.system else ("",):
        for shots in ((), SHOTS):
            for question in ASKED:
                asked = example(question, system=system, shots=shots)
                turns = messages(asked)
                prompt = list(made.prompt(asked).ids)
                own = tokenizer.apply_chat_template(turns, add_generation_prompt=True, enable_thinking=False)
                assert prompt == own["input_ids"]
                for answer in () if system and style.forgets else ANSWERS:
                    whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": answer}])
                    taught = [*prompt, *made.answer(answer)]
                    assert whole["input_ids"][: len(taught)] == taught
                    assert taught[-1] == end and end not in whole["input_ids"][len(taught) :]
                    assert made.text(made.answer(answer)) == answer


@pytest.mark.parametrize("pieces", ["bytes", "sentences"])
@pytest.mark.parametrize("name", STYLES)
def test_prompt_and_answer_are_the_conversation_up_to_the_end_of_the_answer(
    make: Make, pieces: Pieces, name: str
) -> None:
    check(with_style(make(pieces), STYLES[name]), STYLES[name])


@pytest.mark.parametrize("begun", ["", "<think>\\n"])
def test_what_stands_before_finished_answers_only_is_read_and_not_taught(make: Make, begun: str) -> None:
    """As templates of models that always think have it, and those that do not know `enable_thinking`."""
    asks = QWEN_3.template.index("{% if enable_thinking is defined")
    style = QWEN_3._replace(template=QWEN_3.template[:asks] + "{{ '" + begun + "' }}{% endif %}")
    tokenizer = with_style(make("bytes"), style)
    made = prompter(tokenizer)
    asked = example("Is it late?")
    for answer in ANSWERS:
        whole = tokenizer.apply_chat_template([*messages(asked), {"role": "assistant", "content": answer}])
        taught = [*made.prompt(asked).ids, *made.answer(answer)]
        assert whole["input_ids"][: len(taught)] == taught
        assert made.text(made.answer(answer)) == answer == made.text(made.choice(answer))


@pytest.mark.parametrize("pieces", ["bytes", "sentences"])
def test_without_a_chat_template_prompt_and_answer_are_one_text(make: Make, pieces: Pieces) -> None:
    """A tokenizer as Llama 2's puts a space where a text begins, and none behind a line break."""
    tokenizer = make(pieces)
    made = prompter(tokenizer)
    before = [tokenizer.bos_token_id] if tokenizer("a").input_ids[0] == tokenizer.bos_token_id else []
    for answer in ANSWERS:
        whole = before + tokenizer("Is it late?\n" + answer, add_special_tokens=False).input_ids
        assert [*made.prompt(example("Is it late?")).ids, *made.choice(answer)] == whole
        assert made.answer(answer) == (*made.choice(answer), tokenizer.eos_token_id)
        assert made.text(made.answer(answer)) == answer


@pytest.mark.parametrize("pieces", ["bytes", "sentences"])
@pytest.mark.parametrize("name", STYLES)
def test_a_chat_begins_with_one_start_at_most(make: Make, pieces: Pieces, name: str) -> None:
    tokenizer = with_style(make(pieces), STYLES[name])
    ids = prompter(tokenizer).prompt(example("Is it late?")).ids
    assert ids.count(tokenizer.bos_token_id) == ("bos_token" in STYLES[name].template)


@pytest.mark.parametrize("pieces", ["bytes", "sentences"])
@pytest.mark.parametrize("name", STYLES)
def test_control_tokens_that_a_message_spells_stay_text(make: Make, pieces: Pieces, name: str) -> None:
    tokenizer = with_style(make(pieces), STYLES[name])
    made = prompter(tokenizer)
    controls = set(tokenizer.added_tokens_decoder)
    hostile = " a ".join(["x", *(token.content for token in tokenizer.added_tokens_decoder.values()), "x"])

    def found(ids: tuple[int, ...]) -> list[int]:
        return [token for token in ids if token in controls]

    system = {"system": hostile} if STYLES[name].system else {}
    plain = made.prompt(example("x", shots=(Shot("x", "x"),), **{key: "x" for key in system}))
    spoiled = made.prompt(example(hostile, shots=(Shot(hostile, hostile),), **system))
    assert found(spoiled.ids) == found(plain.ids)
    assert found(made.answer(hostile)) == found(made.answer("x"))
    assert found(made.choice(hostile)) == found(made.choice("x"))


@pytest.mark.parametrize("pieces", ["bytes", "sentences"])
@pytest.mark.parametrize("name", STYLES)
def test_a_choice_is_an_answer_without_what_ends_it(make: Make, pieces: Pieces, name: str) -> None:
    made = prompter(with_style(make(pieces), STYLES[name]))
    for answer in ANSWERS:
        choice = made.choice(answer)
        assert made.answer(answer)[: len(choice)] == choice
        assert made.text(choice) == answer
        assert not set(choice) & set(made.end_ids)


def test_the_end_is_taught_also_where_it_is_the_padding(make: Make) -> None:
    tokenizer = make("bytes")
    tokenizer.pad_token = tokenizer.eos_token
    made = prompter(with_style(tokenizer, LLAMA_2))
    assert made.answer("yes")[-1] == tokenizer.pad_token_id == tokenizer.eos_token_id


def test_a_family_without_a_system_part_says_so(make: Make) -> None:
    made = prompter(with_style(make("bytes"), GEMMA))
    with pytest.raises(ModelError, match="refuses these messages") as caught:
        made.prompt(example("x", system="Be short."))
    assert caught.value.received == "System role not supported"
    assert caught.value.where == "chats.csv:2" and "in the wording's prompt" in str(caught.value)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for message in messages %}{{ message['content'] | upper }}{% endfor %}", "as they are"),
        ("{% for message in messages %}{{ message['content'][:40] }}{% endfor %}", "as they are"),
        ("{% for message in messages %}{{ message['content'] | replace('late', '') }}{% endfor %}", "as they are"),
        ("{% for message in messages %}{{ message['content'] * 2 }}{% endfor %}", "writes a message twice"),
        ("{{ messages[0]['content'] }}", "leaves a message out"),
    ],
)
def test_a_template_that_does_not_write_the_messages_as_they_are_is_refused(
    make: Make, template: str, said: str
) -> None:
    tokenizer = make("bytes")
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=said):
        prompter(tokenizer).prompt(example("The parcel is late, and nobody has called me about it since."))


def test_thoughts_that_only_the_prompt_opens_are_not_taught(make: Make) -> None:
    """As Qwen 3: the prompt holds an empty block of thoughts, which a finished turn of the history does not."""
    tokenizer = with_style(make("bytes"), CHATML)
    tokenizer.chat_template += "{% if add_generation_prompt %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    made = prompter(tokenizer)
    assert tokenizer.decode(made.prompt(example("x")).ids).endswith("<think>\n\n</think>\n\n")
    assert tokenizer.decode(made.answer("yes")) == "yes<|im_end|>"


def test_a_piece_does_not_reach_over_the_border_of_prompt_and_answer(make: Make) -> None:
    """The prompt ends with a space, which the first word of the answer would take with it.

    So do GPT-2's pieces with Llama 3's template: two line breaks are one piece, or two where a letter follows.
    """
    tokenizer = make("bytes")
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
        "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    made = prompter(tokenizer)
    taught = [*made.prompt(example("x")).ids, *made.answer("parcel")]
    assert tokenizer.decode(taught) == "user: x\nassistant: parcel</s>"
    assert tokenizer.decode(made.prompt(example("x")).ids).endswith("assistant: ")


@pytest.mark.parametrize(("written", "day"), [("%d %b %Y", "26 Jul 2024"), ("%Y-%m-%d", "2024-07-26")])
def test_a_template_that_writes_the_day_writes_the_same_one_tomorrow(make: Make, written: str, day: str) -> None:
    tokenizer = make("bytes")
    tokenizer.chat_template = "{{ strftime_now('" + written + "') }}" + CHATML.template
    assert tokenizer.decode(prompter(tokenizer).prompt(example("x")).ids).startswith(day)


@pytest.mark.data
@pytest.mark.parametrize("name", sorted({*STYLES} - {"llama-3", "qwen-3"}))
def test_the_real_tokenizer_of_gpt2_reads_its_chats_as_we_do(data_folder: Path, name: str) -> None:
    tokenizer = gpt2(data_folder)
    style = STYLES[name]
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    check(with_style(tokenizer, style), style, systems=("Be short.",))


@pytest.mark.data
@pytest.mark.parametrize("name", STYLES)
def test_the_real_tokenizer_of_llama_2_reads_its_chats_as_we_do(data_folder: Path, name: str) -> None:
    check(with_style(llama_2(data_folder), STYLES[name]), STYLES[name], systems=("Be short.",))
