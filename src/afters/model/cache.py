"""AnswerCache: what models have answered, in one SQLite file that all studies of a user share. No torch here.

An answer lies under a key that holds all that decides it (`model/recall.py`), so nothing here grows stale; what was
used longest ago leaves when there is no more room. Prompts are not kept, answers are: only their owner may look into
a folder that is made here.

Nothing that befalls the file stops or spoils a study: what SQLite or the disk complain about is told once, in one
line, and nothing is looked up or kept from then on. A digest stands beside each answer: a spoiled one is not known.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from afters.errors import SettingsError

MB = 2**20

MOST_MB = 1024
"""The bound when AFTERS_CACHE_MB does not say: some two million answers, and a small part of a laptop's disk."""

SCHEMA = 1
"""Raised whenever the table changes; a file of another number is not touched."""

PATIENCE_SECONDS = 10.0
"""How long to wait for another process. It writes one batch at a time, in milliseconds: who holds longer hangs."""

_TABLE = (
    "CREATE TABLE answers (id INTEGER PRIMARY KEY, key BLOB UNIQUE, answer TEXT, digest BLOB, used INTEGER)",
    "CREATE INDEX by_use ON answers (used)",
    f"PRAGMA user_version = {SCHEMA}",
)

T = TypeVar("T")


class Size(NamedTuple):
    """How much a cache holds, and where."""

    answers: int
    bytes: int
    most_bytes: int
    path: Path

    @property
    def told(self) -> str:
        """Both in one line."""
        return f"{self.answers:,} answers, {_mb(self.bytes)} of {_mb(self.most_bytes)}, in {self.path}"

    def plain(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**self._asdict(), "path": str(self.path)}


class AnswerCache:
    """Answers under keys, in one file of at most `most_bytes`.

    The file is opened anew for every batch, with a rollback journal and not a write-ahead log: the latter needs memory
    that all who write share, and a cluster's home folder is written to from several machines.
    """

    def __init__(self, path: Path, *, most_bytes: int, tell: Callable[[str], None]) -> None:
        self.path, self.most_bytes = path, most_bytes
        self._tell = tell
        self._given_up = False

    def find(self, keys: Iterable[bytes]) -> dict[bytes, str]:
        """Return the answers that are known, and note that they were used."""

        def look(file: sqlite3.Connection) -> dict[bytes, str]:
            rows = ((key, file.execute("SELECT answer, digest FROM answers WHERE key = ?", (key,))) for key in keys)
            told = ((key, *answer) for key, answers in rows for answer in answers)
            found = {key: answer for key, answer, digest in told if digest == _digest(key, answer)}
            now = _now(file)
            file.executemany("UPDATE answers SET used = ? WHERE key = ?", [(now, key) for key in found])
            return found

        return self._safely(look, otherwise={})

    def keep(self, answers: Mapping[bytes, str]) -> None:
        """Write answers down, and make room for them."""

        def write(file: sqlite3.Connection) -> None:
            now = _now(file)
            rows = [(key, answer, _digest(key, answer), now) for key, answer in answers.items()]
            file.executemany("INSERT OR REPLACE INTO answers (key, answer, digest, used) VALUES (?, ?, ?, ?)", rows)
            self._make_room(file)

        self._safely(write, otherwise=None)

    def size(self) -> Size | None:
        """Return how much there is; None, when the file cannot be read."""
        if not os.path.exists(self.path):  # To be looked at, no file is made.
            return Size(0, 0, self.most_bytes, self.path)
        return self._safely(
            lambda file: Size(_count(file), self.path.stat().st_size, self.most_bytes, self.path), otherwise=None
        )

    def clear(self) -> None:
        """Forget every answer; a file that is damaged, or of another version, is removed."""
        if not os.path.exists(self.path):
            return
        try:
            with self._opened() as file:
                file.execute("DELETE FROM answers")
        except (sqlite3.OperationalError, OSError) as problem:
            self._give_up(problem)
        except sqlite3.DatabaseError:
            for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
                path.unlink(missing_ok=True)

    def _safely(self, work: Callable[[sqlite3.Connection], T], *, otherwise: T) -> T:
        """Return what `work` makes of the file; or `otherwise`, once the file has failed."""
        if self._given_up:
            return otherwise
        try:
            with self._opened() as file:
                return work(file)
        except (sqlite3.Error, OSError) as problem:
            self._give_up(problem)
            return otherwise

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file, made when it is not there, for one transaction during which nobody else writes."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=PATIENCE_SECONDS, isolation_level=None)) as file, file:
            if _number(file, "PRAGMA user_version") == 0:  # of a new file; later it cannot be set
                file.execute("PRAGMA auto_vacuum = FULL")
            file.execute("BEGIN IMMEDIATE")
            version = _number(file, "PRAGMA user_version")
            if version not in (0, SCHEMA):
                raise sqlite3.DatabaseError(f"it is of version {version}, not {SCHEMA}")
            for statement in _TABLE if version == 0 else ():
                file.execute(statement)
            yield file

    def _make_room(self, file: sqlite3.Connection) -> None:
        """Let the longest unused hundredth leave, and again, until the rest fits."""
        while _bytes(file) > self.most_bytes and (count := _count(file)):
            oldest = "SELECT id FROM answers ORDER BY used, id LIMIT ?"
            file.execute(f"DELETE FROM answers WHERE id IN ({oldest})", (count // 100 + 1,))

    def _give_up(self, problem: Exception) -> None:
        self._given_up = True
        hint = "AFTERS_CACHE names another folder, or is 'off'; `afters cache --clear` replaces a damaged file"
        self._tell(f"the cache of answers in {self.path} cannot be used: {problem} ({hint})")


def opened(*, tell: Callable[[str], None]) -> AnswerCache | None:
    """Return the cache that AFTERS_CACHE names, or the user's; None when it is "off".

    Args:
        tell: who is told, in one line and once, when the file cannot be used.

    Raises:
        SettingsError: AFTERS_CACHE_MB is no number of megabytes.
    """
    named = os.environ.get("AFTERS_CACHE", "")
    if named.lower() == "off":
        return None
    most = os.environ.get("AFTERS_CACHE_MB") or str(MOST_MB)
    if not (most.isdecimal() and int(most) > 0):
        hint = "AFTERS_CACHE=off keeps no answers at all."
        raise SettingsError("no number of megabytes", where="AFTERS_CACHE_MB", received=most, hint=hint)
    try:
        folder = Path(named or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "afters")).expanduser()
    except RuntimeError as problem:  # a user without a home, as some containers have
        tell(f"answers are not kept for later studies: {problem} Name a folder in AFTERS_CACHE.")
        return None
    return AnswerCache(folder / "answers.sqlite", most_bytes=int(most) * MB, tell=tell)


def _mb(size: int) -> str:
    return f"{size / MB:,.0f} MB" if size >= 10 * MB else f"{size / MB:.1f} MB"


def _digest(key: bytes, answer: object) -> bytes:
    """Return what must stand beside an answer under its key; a damaged file may hold anything in its place."""
    return hashlib.sha256(key + str(answer).encode()).digest()[:16]


def _now(file: sqlite3.Connection) -> int:
    """Return a number above every one that says when an answer was used; no clock, which may be put back."""
    return _number(file, "SELECT COALESCE(MAX(used), 0) + 1 FROM answers")


def _count(file: sqlite3.Connection) -> int:
    return _number(file, "SELECT COUNT(*) FROM answers")


def _bytes(file: sqlite3.Connection) -> int:
    """Return what the file will take when its free pages have been given back."""
    pages = _number(file, "PRAGMA page_count") - _number(file, "PRAGMA freelist_count")
    return pages * _number(file, "PRAGMA page_size")


def _number(file: sqlite3.Connection, question: str) -> int:
    return int(file.execute(question).fetchone()[0])
