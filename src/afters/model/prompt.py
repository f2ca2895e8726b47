"""An Example becomes token ids: the only place where text meets a tokenizer.

Text from rows is encoded as plain text: a user's `<|im_end|>` stays ten characters and never becomes a control
token. Control tokens are put around it here, and nowhere else; training and generation read the same ids for the
same prompt.

With a chat template, prompt and answer together are what the tokenizer makes of the whole conversation, up to the
token that ends the answer. Should a piece reach over the border between the two, the border is kept: the model is
taught to answer what it will be asked.

Layout without a chat template: each shot is its question, a line break, its answer; shots and question are parted
by an empty line. Decoder-only models read one line break more, after which the answer begins.

An Example that asks nothing at all, without system part and shots, is free text: no chat, no line break, and only
what the tokenizer puts before a text, or the token that ends one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count, takewhile
from typing import Any, NamedTuple

from afters.errors import ModelError
from afters.model import layout, objectives
from afters.model.chat import ChatTemplate, Message, Span, Written
from afters.records import Example, Shot
from afters.seeds import stream

DEFAULT_MAX_PROMPT_TOKENS = 1024
"""For models whose positions are relative and have no end, as T5."""


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt as the model reads it."""

    ids: tuple[int, ...]
    shots_used: int
    tokens_cut: int

    @property
    def hash(self) -> str:
        """16 hex digits that are equal exactly when the model reads the same prompt."""
        return hashlib.sha256(",".join(map(str, self.ids)).encode()).hexdigest()[:16]


class _Piece(NamedTuple):
    """A token of a conversation, and where it stands in the text."""

    id: int
    start: int
    end: int


class _Text(NamedTuple):
    """A text of which a part is hidden."""

    prompt: EncodedPrompt
    hidden: tuple[int, ...]


class PromptTooLong(ModelError):
    """A prompt that does not fit, with no shot left to drop and nothing that may be cut."""

    def __init__(self, tokens: int, *, limit: int, where: str) -> None:
        super().__init__(
            f"a prompt of {tokens} tokens does not fit",
            where=where,
            expected=f"at most {limit} tokens",
            hint='Name the column that may be shortened (cut = "…" in the task), or raise [model] max_prompt_tokens.',
        )
        self.tokens = tokens
        self.limit = limit


QUESTION: tuple[Message, ...] = ({"role": "user", "content": "q"},)
"""What stands before an answer while it is encoded on its own."""

BREAK = "\n"
"""What stands between prompt and answer of a decoder-only model without a chat template."""


class Prompter:
    """Encodes prompts and answers for one tokenizer and one kind of model."""

    def __init__(
        self, tokenizer: Any, *, encoder_decoder: bool, max_prompt_tokens: int, positions: int | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.encoder_decoder = encoder_decoder
        self.max_prompt_tokens = max_prompt_tokens
        self.positions = positions
        """Tokens that a decoder has places for, its prompt included where it reads that too; None: no end."""
        self._ahead: dict[str, tuple[int, ...]] = {}
        self._letters = self._spelled()
        self._names = {token: str(tokenizer.convert_ids_to_tokens(token)) for token in self._control_ids()}
        self._before, self._after = self._control_tokens()
        self._chat = ChatTemplate(tokenizer) if getattr(tokenizer, "chat_template", None) else None
        self.end_ids = self._end_ids()
        self._choice = lru_cache(maxsize=4096)(self._encoded_choice)

    def read_ahead(self, examples: Iterable[Example]) -> None:
        """Encode the texts of these Examples at once, which takes half the time; they are soon to be asked for."""
        if self._chat is not None:
            return
        texts = list(dict.fromkeys([BREAK, *(text for example in examples for text in self._texts(example))]))
        self._encoded("")  # leaves the backend set to encode texts in this way
        together = self.tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        self._ahead = {text: self._without_controls(made.ids) for text, made in zip(texts, together, strict=True)}

    def _texts(self, example: Example) -> Iterator[str]:
        if example.objective != "answer":
            yield example.prompt
            return
        yield self._asked_text(example.system, example.prompt, example.shots)
        before = "" if self.encoder_decoder or _asks_nothing(example) else BREAK
        yield from (before + text for text in (example.references[0], *example.choices))

    def prompt(self, example: Example, *, answer_tokens: int = 0) -> EncodedPrompt:
        """Encode the prompt; whole shots are dropped, then the cuttable span is cut, until it fits.

        Solved examples go first, the last of them first; then what was said before the question, the oldest first.
        Where prompt and answer share positions, shots leave room for every choice, and for so many `answer_tokens`.
        """
        if example.objective != "answer":
            return self._of_text(example).prompt
        if _asks_nothing(example):
            around = (*self._before, *self._after) if self.encoder_decoder else self._before
            return EncodedPrompt(around or self.end_ids[:1], 0, 0)
        solved = len(example.shots) - example.turns
        fewer = [example.shots[:kept] + example.shots[solved:] for kept in range(solved, -1, -1)]
        fewer += [example.shots[kept:] for kept in range(solved + 1, len(example.shots) + 1)]
        room = self._room_for_shots(example, answer_tokens=answer_tokens)
        for shots in fewer:
            ids = self._encode(example, example.prompt, shots)
            if len(ids) <= (room if shots else self.max_prompt_tokens):
                return EncodedPrompt(ids, len(shots), 0)
        return self._cut(example, excess=len(ids) - self.max_prompt_tokens)

    def _room_for_shots(self, example: Example, *, answer_tokens: int) -> int:
        """Return how many tokens a prompt with shots may have."""
        if self.positions is None or self.encoder_decoder:
            return self.max_prompt_tokens
        longest = max([answer_tokens, *map(len, self.choices(example))])
        return min(self.max_prompt_tokens, self.positions - longest)

    def taught(self, example: Example) -> tuple[int, ...]:
        """Encode what is taught of an Example: its first reference, or the part of its text that is hidden.

        A text that goes on where the limit cut it is taught without an end. What stood in holes ends all the same.
        """
        if example.objective != "answer":
            text = self._of_text(example)
            goes_on = example.objective == "continuation" and text.prompt.tokens_cut > 0
            return text.hidden if goes_on else (*text.hidden, *(self._after or self.end_ids[:1]))
        return self._answer(example.references[0], before="" if _asks_nothing(example) else BREAK)

    def choices(self, example: Example) -> tuple[tuple[int, ...], ...]:
        """Encode what is scored of an Example: each of its choices, or the part of its text that is hidden."""
        if example.objective != "answer":
            return (self._of_text(example).hidden,)
        before = "" if _asks_nothing(example) else BREAK
        return tuple(self._choice(text, before) for text in example.choices)

    def answer(self, text: str) -> tuple[int, ...]:
        """Encode an answer to a question, with the token that ends it."""
        return self._answer(text, before=BREAK)

    def _answer(self, text: str, *, before: str) -> tuple[int, ...]:
        if self.encoder_decoder:
            return (*self._before, *self._plain(text), *(self._after or self.end_ids[:1]))
        if self._chat is None:
            return (*self._behind(before, text), self.end_ids[0])
        span, pieces = self._replied(text)
        ends = [place for place, piece in enumerate(pieces) if piece.start >= span[1] and piece.id == self.end_ids[0]]
        if ends:
            return tuple(piece.id for piece in pieces[: ends[0] + 1])
        return (*_until(pieces, span[1]), self.end_ids[0])

    def choice(self, text: str) -> tuple[int, ...]:
        """Encode a choice to be scored: as an answer, without the token that ends it."""
        return self._choice(text, BREAK)

    def _encoded_choice(self, text: str, before: str) -> tuple[int, ...]:
        if self.encoder_decoder:
            return (*self._before, *self._plain(text))
        if self._chat is None:
            return self._behind(before, text)
        span, pieces = self._replied(text)
        return _until(pieces, span[1])

    def text(self, ids: Sequence[int], *, stop: Sequence[str] = ()) -> str:
        """Decode an answer up to the first of `stop`; control tokens are left out."""
        text = self._decoded(ids)
        return text[: min((text.index(end) for end in stop if end in text), default=len(text))].strip()

    def stops(self, ids: Sequence[int], stop: Sequence[str]) -> bool:
        """Tell whether one of `stop` stands in an answer."""
        return bool(stop) and any(end in self._decoded(ids) for end in stop)

    def _decoded(self, ids: Sequence[int]) -> str:
        # Else some tokenizers take the space away before a full stop, which no reference loses.
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return str(self.tokenizer.decode(list(ids), **options))

    def _of_text(self, example: Example) -> _Text:
        """Hide a part of an Example's text; what of it does not fit is cut off at its end."""
        ids = self._plain(example.prompt)
        room = self.max_prompt_tokens - len(self._before) - len(self._after)
        if len(ids) > room and (example.cuttable is None or room < 1):
            raise PromptTooLong(len(ids), limit=room, where=example.source)
        chance, cut = stream(example.draw), max(0, len(ids) - room)
        ids = ids[:room]
        if example.objective == "span_corruption":
            sentinels = self._sentinels
            spans = objectives.holes(len(ids), chance=chance, most=len(sentinels) - 1)
            read, hidden = objectives.with_holes(ids, spans, sentinels=sentinels)
        elif self.encoder_decoder:
            read, hidden = objectives.in_two(ids, chance=chance)
        else:
            read, hidden = [], list(ids)
        around = (*self._before, *read, *(self._after if self.encoder_decoder else ()))
        return _Text(EncodedPrompt(around or self.end_ids[:1], 0, cut), (*self._started, *hidden))

    @property
    def _started(self) -> tuple[int, ...]:
        """What a decoder of its own is given before a text."""
        return self._before if self.encoder_decoder else ()

    @cached_property
    def _sentinels(self) -> tuple[int, ...]:
        """The tokens that stand for holes, as T5 names them."""
        known = self.tokenizer.get_vocab()
        names = takewhile(known.__contains__, (f"<extra_id_{number}>" for number in count()))
        sentinels = tuple(known[name] for name in names)
        if len(sentinels) < 2 or not self.encoder_decoder:
            raise ModelError(
                "the model cannot be taught by span corruption",
                expected="an encoder-decoder whose tokenizer has <extra_id_0>, <extra_id_1>, … as T5's",
                received="no such tokens" if self.encoder_decoder else "a decoder alone",
                hint='Take objective = "continuation", or another [model] base.',
            )
        return sentinels

    def _plain(self, text: str) -> tuple[int, ...]:
        ids = self._ahead.get(text)
        return self._without_controls(self._encoded(text)) if ids is None else ids

    def _behind(self, before: str, text: str) -> tuple[int, ...]:
        """Encode a text as it stands behind another: where a text begins, Llama 2's tokenizer puts a space."""
        head, whole = self._plain(before), self._plain(before + text)
        return whole[len(head) :] if whole[: len(head)] == head else self._plain(text)

    def _encoded(self, text: str) -> Sequence[int]:
        ids: Sequence[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
        return ids

    def _without_controls(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Return the ids of a user's text, a control token among them spelled in letters."""
        if self._letters.keys().isdisjoint(ids):
            return tuple(ids)
        return tuple(letter for token in ids for letter in self._letters.get(token, (token,)))

    def _control_ids(self) -> frozenset[int]:
        """Return every control token, also those without a role of their own, as Gemma's `<end_of_turn>`."""
        return frozenset(number for number, token in self.tokenizer.added_tokens_decoder.items() if token.special)

    def _spelled(self) -> dict[int, tuple[int, ...]]:
        """Return what to write for each control token that stands in a user's text: its letters, one by one.

        Asking the tokenizer to split them is not enough: T5's keeps `</s>` among its ordinary pieces as well.
        """
        controls = self._control_ids() - {self.tokenizer.unk_token_id}
        letters = {number: list(self.tokenizer.convert_ids_to_tokens(number)) for number in controls}
        spelled = {number: self.tokenizer.convert_tokens_to_ids(name) for number, name in letters.items()}
        return {number: tuple(letter for letter in ids if letter is not None) for number, ids in spelled.items()}

    def _control_tokens(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what the tokenizer puts before and after a text: nothing and `</s>` for T5, `<s>` for Llama."""
        bare = self.tokenizer("a", add_special_tokens=False).input_ids
        whole = self.tokenizer("a", add_special_tokens=True).input_ids
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return tuple(whole[:start]), tuple(whole[start + len(bare) :])
        return (), ()

    def _end_ids(self) -> tuple[int, ...]:
        """Return the tokens that end an answer, the taught one first."""
        ends = [self.tokenizer.eos_token_id]
        if self._chat is not None:
            text, spans = self._chat.write([*QUESTION, {"role": "assistant", "content": "a"}])
            closing = self.tokenizer(text[spans[1][1] :], add_special_tokens=False).input_ids
            controls = self._control_ids()
            ends = [token for token in closing if token in controls][:1] + ends
        if ends[0] is None:
            hint = "Name it in the folder's tokenizer_config.json, as the model was taught with it."
            raise ModelError("the tokenizer names no token that ends a text", expected="eos_token", hint=hint)
        return tuple(dict.fromkeys(end for end in ends if end is not None))

    def _encode(self, example: Example, question: str, shots: Sequence[Shot]) -> tuple[int, ...]:
        if self._chat is not None:
            chat = self._chat.write(
                layout.turns(example.system, question, shots), answer_follows=True, where=example.source
            )
            return tuple(piece.id for piece in self._pieces(self._opened(chat)))
        text = self._plain(self._asked_text(example.system, question, shots))
        return (*self._before, *text, *(self._after if self.encoder_decoder else ()))

    def _asked_text(self, system: str, question: str, shots: Sequence[Shot]) -> str:
        """Return a prompt without a chat template as one text."""
        return layout.text(system, question, shots) + ("" if self.encoder_decoder else BREAK)

    def _replied(self, text: str) -> tuple[Span, list[_Piece]]:
        """Return what a chat model writes after its prompt to give this answer, and where the answer stands in it."""
        assert self._chat is not None
        asked, ids = self._asked
        told, (_, (start, end)) = self._chat.write([*QUESTION, {"role": "assistant", "content": text}])
        if not told.startswith(asked):
            # The prompt opens what a finished turn does not have, as an empty block of thoughts.
            told, start, end = asked + told[start:], len(asked), len(asked) + end - start
        pieces = self._pieces(Written(told, ((start, end),)))
        if [piece.id for piece in pieces[: len(ids)]] == ids:
            return (start, end), pieces[len(ids) :]
        start, end = start - len(asked), end - len(asked)
        return (start, end), self._pieces(Written(told[len(asked) :], ((start, end),)))

    @cached_property
    def _asked(self) -> tuple[str, list[int]]:
        """A short question as a chat model reads it: text and ids."""
        assert self._chat is not None
        chat = self._opened(self._chat.write(QUESTION, answer_follows=True))
        return chat.text, [piece.id for piece in self._pieces(chat)]

    def _opened(self, chat: Written) -> Written:
        """Return a prompt up to where the answer begins."""
        return chat._replace(text=chat.text + self._opening)

    @cached_property
    def _opening(self) -> str:
        """What a template writes before the answer of a finished turn only, as an empty block of thoughts.

        Not white space alone, nor the spaces at its end: they belong to the answer's first piece.
        """
        assert self._chat is not None
        asked = self._chat.write(QUESTION, answer_follows=True).text
        told, (_, (start, _)) = self._chat.write([*QUESTION, {"role": "assistant", "content": "a"}])
        between = told[len(asked) : start] if told.startswith(asked) else ""
        return between.rstrip(" ") if between.strip() else ""

    def _pieces(self, chat: Written) -> list[_Piece]:
        """Encode a conversation whole, as the tokenizer does; control tokens that a message spells become letters."""
        made = self.tokenizer(chat.text, add_special_tokens=False, return_offsets_mapping=True)
        pieces: list[_Piece] = []
        for token, (start, end) in zip(made["input_ids"], made["offset_mapping"], strict=True):
            said = chat.text[start:end]
            # Some control tokens swallow the white space around them; a token for the unknown stands for anything.
            place = said.find(self._names[token]) if token in self._names else -1
            if place >= 0 and any(first <= start + place < last for first, last in chat.spans):
                pieces += [_Piece(letter, start, end) for letter in self._plain(said)]
            else:
                pieces.append(_Piece(token, start, end))
        return pieces

    def _cut(self, example: Example, *, excess: int) -> EncodedPrompt:
        """Shorten the cuttable span at its end, by whole tokens, until the prompt fits."""
        if example.cuttable is not None:
            start, end = example.cuttable
            span = example.prompt[start:end]
            tokens = self.tokenizer(
                span, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
            )
            offsets = tokens["offset_mapping"]
            for keep in range(max(0, len(offsets) - excess), -1, -1):
                kept = span[: offsets[keep][0]] if keep < len(offsets) else span
                ids = self._encode(example, example.prompt[:start] + kept + example.prompt[end:], ())
                if len(ids) <= self.max_prompt_tokens:
                    return EncodedPrompt(ids, 0, len(offsets) - keep)
        tokens = self.max_prompt_tokens + excess
        raise PromptTooLong(tokens, limit=self.max_prompt_tokens, where=example.source)


def _asks_nothing(example: Example) -> bool:
    return not (example.prompt or example.system or example.shots)


def _until(pieces: Sequence[_Piece], end: int) -> tuple[int, ...]:
    return tuple(piece.id for piece in pieces if piece.start < end)


def positions_of(config: dict[str, Any]) -> int | None:
    """Return how many tokens a model has places for; None where only distances count, as in T5."""
    if "relative_attention_num_buckets" in config:
        return None
    found = config.get("max_position_embeddings") or config.get("n_positions")
    return int(found) if found else None


def default_max_prompt_tokens(config: dict[str, Any], *, max_new_tokens: int, virtual_tokens: int = 0) -> int:
    """Return how many tokens a prompt may have when the study does not say."""
    positions = config.get("n_positions") or config.get("max_position_embeddings")
    if not positions:
        return DEFAULT_MAX_PROMPT_TOKENS
    room = int(positions) - virtual_tokens - (0 if config.get("is_encoder_decoder") else max_new_tokens)
    return max(1, min(room, DEFAULT_MAX_PROMPT_TOKENS))
