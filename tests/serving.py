"""A server of the OpenAI interface on this machine, which answers by a table and goes wrong when it is told to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

PIECES = re.compile(r"\n|\s?\w+|\W")
"""The tokens of this server: a word with the space before it, a line break, or a sign."""


@dataclass(frozen=True)
class Said:
    """One reply."""

    body: Mapping[str, Any] | str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    how: Literal["whole", "half", "nothing", "late"] = "whole"
    """Half of the body, then the connection is closed; closed at once; or not before the server is released."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def prompt(self) -> str:
        """What was asked last."""
        return str(self.body["messages"][-1]["content"] if "messages" in self.body else self.body["prompt"])


class FakeServer:
    """Answers every question with its last word, unless it is told otherwise."""

    def __init__(self, *, model: str = "echo-1") -> None:
        self.model = model
        self.answer: Callable[[Asked], Said | None] = lambda asked: None
        """Is asked first; None leaves the reply to the server."""
        self.next: deque[Said] = deque()
        """Replies that are given before any other, in turn."""
        self.echoes = True
        self.begins = ""
        """A token that is put before a text, as vLLM puts `<s>`; its letters count in the offsets."""
        self.no_new_tokens: Literal["none", "refused", "usual"] = "none"
        """What is made of `max_tokens = 0`: what it says, an error, or this server's usual number."""
        self.slow_seconds = 0.0
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.released = threading.Event()
        self.url = ""
        self._at_once = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """As a study names it."""
        return f"{self.url}#{self.model}"

    def reply(self, asked: Asked) -> Said:
        """Return what is said to a request, counting how many are under way."""
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            said = self.next.popleft() if self.next else None
        time.sleep(self.slow_seconds)
        said = said or self.answer(asked) or self._usual(asked)
        with self._lock:
            self._at_once -= 1
        return said

    def _usual(self, asked: Asked) -> Said:
        if asked.path.endswith("/models"):
            return Said({"data": [{"id": self.model}]})
        if asked.body["model"] != self.model:
            return Said({"error": {"message": f"The model `{asked.body['model']}` does not exist."}}, 404)
        if asked.body.get("echo"):
            return self._echoed(asked)
        return self.written(asked, asked.prompt.split()[-1])

    def written(self, asked: Asked, *answers: str, model: str | None = None, reason: str = "stop") -> Said:
        """Return a reply with these answers."""
        several = answers * int(asked.body.get("n", 1)) if len(answers) == 1 else answers
        chat = asked.path.endswith("/chat/completions")
        choices = [
            ({"message": {"role": "assistant", "content": one}} if chat else {"text": one}) | {"finish_reason": reason}
            for one in several
        ]
        usage = {"prompt_tokens": len(asked.prompt.split()), "completion_tokens": len(" ".join(several).split())}
        return Said({"model": model or self.model, "choices": choices, "usage": usage})

    def _echoed(self, asked: Asked) -> Said:
        """Repeat a text token by token; a token is as probable as it is long."""
        if not self.echoes:
            return Said({"error": {"message": "Only no echo is supported"}}, 500)
        new_tokens = asked.body["max_tokens"]
        if new_tokens == 0 and self.no_new_tokens == "refused":
            return Said({"error": {"message": "max_tokens must be at least 1"}}, 400)
        new_tokens = new_tokens or (16 if self.no_new_tokens == "usual" else 0)
        given = [*([self.begins] if self.begins else []), *PIECES.findall(asked.prompt)]
        tokens = [*given, *[" more"] * new_tokens]
        offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
        logs = [None, *(log_of(token) for token in tokens[1:])]
        told = {"tokens": tokens, "token_logprobs": logs, "text_offset": offsets}
        text = asked.prompt + " more" * new_tokens
        usage = {"prompt_tokens": len(given), "completion_tokens": len(tokens) - len(given)}
        return Said({"model": self.model, "choices": [{"text": text, "logprobs": told}], "usage": usage})


def log_of(token: str) -> float:
    """The log-probability of a token."""
    return -len(token) / 8


def tokens_of(text: str) -> Sequence[str]:
    """The tokens of a text."""
    return PIECES.findall(text)


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """Serve on a free port of this machine until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: dict[str, Any]) -> None:
            said = server.reply(Asked(self.path, body, dict(self.headers)))
            content = (said.body if isinstance(said.body, str) else json.dumps(said.body)).encode()
            if said.how == "late":
                server.released.wait(30)
            if said.how in ("nothing", "late"):
                self.close_connection = True
                return
            self.close_connection = said.how == "half"
            with suppress(ConnectionError):  # who asked may be gone
                self.send_response_only(said.status)
                for name, value in {**said.headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content[: len(content) // 2] if said.how == "half" else content)

        def log_message(self, format: str, *words: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        server.url = f"http://127.0.0.1:{made.server_address[1]}/v1"
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            made.shutdown()
            thread.join()
