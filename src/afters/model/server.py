"""One server of the OpenAI interface: a question is asked again until a whole reply comes, so often and no longer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, TypeVar

import httpx2

from afters.errors import ModelError, unknown
from afters.model.address import KEYS, Address
from afters.seeds import fraction

Read = TypeVar("Read")
Reply = Mapping[str, Any]

TRIES = 6
"""With pauses that double from a second, this bridges half a minute."""

LONGEST_PAUSE = 60.0
"""Seconds, of those that double."""

LONGEST_BIDDEN = 300.0
"""Seconds: a server that asks for more is not waited for. The run goes on later, where it stands."""

PASSING = (408, 425, 429)
"""Beside 5xx, what a server says when the same question may be asked later. 501 is a no for good."""

SHOWN = 200
"""Letters of a reply that a message shows."""


class Refused(ModelError):
    """The server will not answer this question, however often it is asked."""

    def __init__(self, status: int, said: str, *, where: str, hint: str | None = None) -> None:
        super().__init__("the server refuses", where=where, received=f"{status}: {said}", hint=hint)
        self.status = status
        self.said = said


class _Passing(Exception):
    """Something came between; asking again may help."""

    def __init__(self, what: str, *, bidden: float = 0.0) -> None:
        super().__init__(what)
        self.bidden = bidden
        """How many seconds the server asks to wait."""


class Stopped(Exception):
    """The answer is not waited for any more."""


class Server:
    """Asks the server at `address`; may be used by several threads at once.

    Args:
        address: where, and whom.
        key: is sent with every question, and stands in no message.
        timeout_seconds: for how long nothing may come.
        tries: how often a question is asked at most.
        wait: waits for so many seconds; for tests.
    """

    def __init__(
        self,
        address: Address,
        *,
        key: str = "",
        timeout_seconds: float = 120.0,
        tries: int = TRIES,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.stopped = threading.Event()
        """Set when nobody waits for answers any more; ends the pauses too."""
        self._address = address
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._tries = tries
        self._wait = self.stopped.wait if wait is None else wait
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        # Redirects are not followed: the key is for this server. A proxy is not for this machine's own.
        self._client = httpx2.Client(headers=headers, timeout=timeout_seconds, trust_env=not address.is_local)

    def close(self) -> None:
        """Close the connections."""
        self.stopped.set()
        self._client.close()

    def ask(
        self,
        path: str,
        question: Mapping[str, Any],
        *,
        read: Callable[[Reply], Read],
        about: str = "",
        final: Container[int] = (),
    ) -> Read:
        """Return what `read` finds in the reply; a reply in which it finds nothing is no whole one.

        Args:
            path: of the interface, as `/completions`.
            question: what is sent, beside the model's name.
            read: raises KeyError and its kin when something is missing.
            about: what is asked about, for messages: `chats.csv:17`.
            final: statuses that end it, though they would be passing elsewhere.

        Raises:
            Refused: the server says no for good.
            ModelError: no whole reply came, as often as it was asked; or one of another model.
        """
        where = f"{self._address}, {about}" if about else str(self._address)
        content = json.dumps({"model": self._address.model, **question}).encode()
        for attempt in range(1, self._tries + 1):
            try:
                return self._once(path, content, read=read, where=where, final=final)
            except _Passing as problem:
                what, bidden = str(problem), problem.bidden
            if attempt == self._tries or bidden > LONGEST_BIDDEN:
                break
            pause = min(LONGEST_PAUSE, 2.0 ** (attempt - 1)) * (0.5 + fraction(0, "pause", about, attempt) / 2)
            self._wait(max(bidden, pause))
            if self.stopped.is_set():
                raise Stopped
        raise ModelError(
            "the server gives no whole answer",
            where=where,
            received=f"{what} (asked {attempt} times)" if attempt > 1 else what,
            hint="See that the server is up, or ask it less at once: --set model.endpoint.in_flight=2.",
        )

    def _once(
        self, path: str, content: bytes, *, read: Callable[[Reply], Read], where: str, final: Container[int]
    ) -> Read:
        try:
            response = self._client.post(self._address.url + path, content=content)
        except httpx2.TimeoutException:
            raise _Passing(f"nothing within {self._timeout_seconds:g} seconds") from None
        except httpx2.InvalidURL as problem:
            raise ModelError("no server's address", where=where, received=self._safe(str(problem))) from None
        except httpx2.RequestError as problem:
            raise _Passing(self._safe(f"{type(problem).__name__}: {problem}")) from None
        if response.status_code != 200:
            self._deny(response, where=where, final=final)
        try:
            reply = response.json()
            self._check_name(reply.get("model"), where=where)
            return read(reply)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            raise _Passing(f"no whole reply: '{self._safe(response.text)}'") from None

    def _deny(self, response: httpx2.Response, *, where: str, final: Container[int]) -> NoReturn:
        status, said = response.status_code, self._safe(_message(response))
        if (status in PASSING or status >= 500) and status != 501 and status not in final:
            raise _Passing(f"{status}: {said}", bidden=_bidden(response.headers))
        if status in (401, 403):
            hint = f"{'Another' if self._key else 'A'} key belongs in the environment, as {KEYS[0]}."
            raise Refused(status, said, where=where, hint=hint)
        if status == 404 and (known := self._models()) and self._address.model not in known:
            raise ModelError(unknown("model", self._address.model, known), where=where, received=f"{status}: {said}")
        raise Refused(status, said, where=where)

    def _check_name(self, name: Any, *, where: str) -> None:
        """Refuse the reply of another model; one that does not say whose it is passes."""
        if isinstance(name, str) and name and not self._address.is_name(name):
            shown = self._safe(name)
            raise ModelError(
                "another model answered",
                where=where,
                expected=f"'{self._address.answers_as}', or a dated state of it",
                received=f"'{shown}'",
                hint=f"Where the server only calls it so, say it: {replace(self._address, answers_as=shown)}",
            )

    def _models(self) -> list[str]:
        """Return the names of the models that the server has, where it tells."""
        try:
            return [str(model["id"]) for model in self._client.get(f"{self._address.url}/models").json()["data"]]
        except (httpx2.RequestError, KeyError, TypeError, ValueError):
            return []

    def _safe(self, said: str) -> str:
        """Return the beginning of what came, on one line and without the key, which some servers repeat."""
        text = " ".join((said.replace(self._key, "[the key]") if self._key else said).split())
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _message(response: httpx2.Response) -> str:
    """Return what a server says of an error: the message in its JSON, or all of it, or the status in words."""
    try:
        said = response.json()
        found = said.get("error", said.get("message", said.get("detail")))
        found = found.get("message") if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        found = None
    return str(found or response.text or response.reason_phrase)


def _bidden(headers: httpx2.Headers) -> float:
    """Return how many seconds Retry-After asks to wait, as a number or as a time by the server's own clock."""
    told = headers.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        until, now = (parsedate_to_datetime(headers.get(name, "")) for name in ("retry-after", "date"))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0
