"""Work in a process of its own: one that takes too long, or too much memory, is killed, and the next one starts anew.

The process is started once and asked again and again, a line of JSON for a line of JSON: what it says is never more
than text. Where the system knows such limits, it gets no more than `MEMORY`, can fill no file, and ends by itself when
it is left alone. What is not covered: it may read files and open connections, as its user may; the sandbox prevents it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from afters.errors import AftersError, TemplateError

SECONDS = 5.0
"""What one answer may take; the counted work of a row takes less than one."""

MEMORY = 2**30
"""Bytes of addresses; a row's counted work takes a fifth at most."""


class Apart:
    """A process that answers; `code` makes it call `serve`."""

    def __init__(self, code: str, *, seconds: float = SECONDS) -> None:
        self._code = code
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, asked: dict[str, Any]) -> str:
        """Return the answer, a text; what is not JSON is asked as its text.

        Raises:
            TemplateError: the answer is an error, or there was none in time.
        """
        line = json.dumps(asked, default=str).encode() + b"\n"
        with self._lock:
            answer = self._exchange(self._running(), line)
            if answer is None:
                self._stop()
                expected = f"an answer within {self._seconds:g} seconds and {MEMORY // 2**20} MiB"
                raise TemplateError("the template takes too long or too much, and was stopped", expected=expected)
        told = json.loads(answer)
        if "error" in told:
            raise TemplateError(**told["error"])
        return str(told["text"])

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():  # a forked child must not speak in its parent's name
            kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", self._code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                # No key or token that stands in our environment.
                env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            )
            self._owner = os.getpid()
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
            atexit.register(self.close)
            if self._exchange(self._process, b"\n", seconds=60.0) is None:  # it answers when it has read its modules
                self._stop()
                raise AftersError("the process that renders templates from strangers does not start")
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], line: bytes, seconds: float | None = None) -> bytes | None:
        """Send a line and return the one that comes back, or None."""
        assert process.stdin is not None and process.stdout is not None
        end = time.monotonic() + (seconds or self._seconds)
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdin, selectors.EVENT_WRITE)
            selector.register(process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                ready = selector.select(end - time.monotonic())
                if not ready:
                    return None
                for key, _ in ready:
                    if key.fileobj is process.stdout:
                        piece = os.read(key.fd, 1 << 16)
                        if not piece:
                            return None
                        received += piece
                        continue
                    try:
                        line = line[os.write(key.fd, line) :]
                    except BrokenPipeError:
                        return None
                    if not line:
                        selector.unregister(process.stdin)
        return received

    def _stop(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            with self._process:  # waits, and closes the pipes
                pass
        self._process = None
        atexit.unregister(self.close)


def serve(answer: Callable[[dict[str, Any]], str]) -> None:
    """Answer line by line until nobody asks any more."""
    _limit()
    for line in sys.stdin.buffer:
        told: dict[str, Any] = {}
        if line.strip():
            _limit_seconds()
            try:
                told["text"] = answer(json.loads(line))
            except TemplateError as error:
                names = ("what", "where", "expected", "received", "hint")
                told["error"] = {name: getattr(error, name) for name in names}
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
        sys.stdout.buffer.flush()


def _limit() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _limit_seconds() -> None:
    """End by itself if this answer takes too long: whoever asked may have been killed."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 2 * SECONDS), most))
