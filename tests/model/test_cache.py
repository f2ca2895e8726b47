"""The file of answers: bounded, shared, and never in a study's way."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from afters.errors import SettingsError
from afters.model import cache
from afters.model.cache import MB, AnswerCache, opened

Said = list[str]


@pytest.fixture
def said() -> Said:
    """What the user was told."""
    return []


def made(path: Path, said: Said, *, most_bytes: int = MB) -> AnswerCache:
    return AnswerCache(path / "answers.sqlite", most_bytes=most_bytes, tell=said.append)


def key(name: object) -> bytes:
    return hashlib.sha256(str(name).encode()).digest()


def test_what_is_kept_is_found_by_whoever_opens_the_file(tmp_path: Path, said: Said) -> None:
    made(tmp_path, said).keep({key(1): "one", key(2): "two"})
    again = made(tmp_path, said)
    assert again.find([key(2), key(3)]) == {key(2): "two"}
    size = again.size()
    assert size is not None and size.answers == 2 and size.bytes == again.path.stat().st_size
    assert said == []


def test_a_file_is_made_by_keeping_not_by_looking_at_its_size_and_only_its_owner_looks_into_it(
    tmp_path: Path, said: Said
) -> None:
    kept = made(tmp_path / "afters", said)
    size = kept.size()
    assert size is not None and size.told.startswith("0 answers, 0.0 MB of 1.0 MB, in ")
    assert not kept.path.parent.exists()
    kept.keep({key(1): "one"})
    assert kept.path.parent.stat().st_mode & 0o077 == 0


def test_the_file_stays_within_its_bound_and_the_longest_unused_leave(tmp_path: Path, said: Said) -> None:
    kept = made(tmp_path, said, most_bytes=200_000)
    for batch in range(100):
        kept.keep({key((batch, row)): "x" * 200 for row in range(20)})
        assert kept.path.stat().st_size <= 200_000
        kept.find([key((0, 0))])
    known = [batch for batch in range(100) if key((batch, 1)) in kept.find([key((batch, 1))])]
    assert known == list(range(known[0], 100)) and 5 < len(known) < 50
    assert kept.find([key((0, 0))]), "what is used stays"
    kept.keep({key(row): "x" * 200 for row in range(2000)})
    assert kept.path.stat().st_size <= 200_000
    assert said == []


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path, said: Said) -> None:
    script = (
        "import sys; from pathlib import Path; from afters.model.cache import AnswerCache\n"
        "kept = AnswerCache(Path(sys.argv[1]) / 'answers.sqlite', most_bytes=2**24, tell=sys.exit)\n"
        "for batch in range(60):\n"
        "    names = [f'{sys.argv[2]} {batch} {row}'.encode() for row in range(5)]\n"
        "    kept.keep({name: name.decode() for name in names})\n"
        "    assert len(kept.find(names)) == 5\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in ("one", "two")]
    assert [writer.wait(timeout=100) for writer in writers] == [0, 0]
    names = [f"{name} {batch} {row}" for name in ("one", "two") for batch in range(60) for row in range(5)]
    found = made(tmp_path, said, most_bytes=2**24).find([name.encode() for name in names])
    assert sorted(found.values()) == sorted(names)


def zeroed(path: Path) -> None:
    path.write_bytes(b"\0" * 50_000)


def text(path: Path) -> None:
    path.write_text("not a database " * 1000)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("spoil", [zeroed, text, cut_short, of_another_version])
def test_a_file_that_cannot_be_read_is_told_once_and_replaced_when_cleared(
    tmp_path: Path, said: Said, spoil: Callable[[Path], None]
) -> None:
    names = [key(row) for row in range(300)]
    made(tmp_path, said).keep({name: "x" * 200 for name in names})
    spoil(tmp_path / "answers.sqlite")
    spoiled, broken = (tmp_path / "answers.sqlite").read_bytes(), made(tmp_path, said)
    for _ in range(3):
        assert broken.find(names) == {}
        broken.keep({key("new"): "new"})
        assert broken.size() is None
    assert len(said) == 1 and "cannot be used" in said[0] and "\n" not in said[0] and "--clear" in said[0]
    assert (tmp_path / "answers.sqlite").read_bytes() == spoiled
    made(tmp_path, said).clear()
    made(tmp_path, said).keep({key("new"): "new"})
    assert made(tmp_path, said).find([*names, key("new")]) == {key("new"): "new"}
    assert len(said) == 1


@pytest.mark.parametrize("answer", ["another", None, 7, b"bytes"])
def test_an_answer_that_is_not_what_was_kept_is_not_known(tmp_path: Path, said: Said, answer: object) -> None:
    kept = made(tmp_path, said)
    kept.keep({key(1): "one", key(2): "two"})
    with closing(sqlite3.connect(kept.path)) as file, file:
        file.execute("UPDATE answers SET answer = ? WHERE key = ?", (answer, key(1)))
    assert kept.find([key(1), key(2)]) == {key(2): "two"}
    kept.keep({key(1): "one"})
    assert kept.find([key(1)]) == {key(1): "one"}


def test_answers_of_two_keys_cannot_change_places(tmp_path: Path, said: Said) -> None:
    kept = made(tmp_path, said)
    kept.keep({key(1): "one"})
    with closing(sqlite3.connect(kept.path)) as file, file:
        file.execute("UPDATE answers SET key = ?", (key(2),))
    assert kept.find([key(2)]) == {}


def test_a_file_that_another_holds_is_waited_for_and_then_given_up(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "PATIENCE_SECONDS", 0.05)
    kept = made(tmp_path, said)
    kept.keep({key(1): "one"})
    with closing(sqlite3.connect(kept.path, isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        assert kept.find([key(1)]) == {}
        kept.keep({key(2): "two"})
        assert len(said) == 1 and "locked" in said[0]
        made(tmp_path, said).clear()
        assert len(said) == 2, "a file in use is not removed"
    assert kept.find([key(1)]) == {}
    assert made(tmp_path, said).find([key(1)]) == {key(1): "one"}


def test_nobody_writes_between_a_look_and_its_note(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that had both looked would each wait for the other to be gone."""
    kept = made(tmp_path, said)
    kept.keep({key(1): "one"})

    def with_another(file: sqlite3.Connection) -> int:
        with closing(sqlite3.connect(kept.path, timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        return 7

    monkeypatch.setattr(cache, "_now", with_another)
    assert kept.find([key(1)]) == {key(1): "one"}


def test_a_file_that_may_not_be_written_is_given_up(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests as root may write everything, so SQLite itself is told not to."""
    made(tmp_path, said).keep({key(1): "one"})
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(f"file:{path}?mode=ro", uri=True, **more))
    kept = made(tmp_path, said)
    assert kept.find([key(1)]) == {}
    kept.keep({key(2): "two"})
    assert len(said) == 1 and "readonly" in said[0]


@pytest.mark.parametrize("name", ["file/afters", "x" * 300])
def test_a_folder_that_cannot_be_made_is_given_up(tmp_path: Path, said: Said, name: str) -> None:
    (tmp_path / "file").write_text("")
    kept = made(tmp_path / name, said)
    size = kept.size()
    assert size is not None and size.answers == 0
    kept.clear()
    assert kept.find([key(1)]) == {}
    kept.keep({key(1): "one"})
    assert len(said) == 1


def test_a_disk_without_room_is_given_up_and_what_stood_stands(tmp_path: Path, said: Said) -> None:
    kept = made(tmp_path, said)
    kept.keep({key(1): "one"})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kept.path.stat().st_size + 4096, limits[1]))
    try:
        kept.keep({key(row): "x" * 1000 for row in range(2, 200)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(said) == 1
    assert made(tmp_path, said).find([key(1), key(2)]) == {key(1): "one"}
    assert len(said) == 1


def test_cleared_it_holds_nothing_and_its_file_is_small(tmp_path: Path, said: Said) -> None:
    kept = made(tmp_path, said)
    kept.keep({key(row): "x" * 1000 for row in range(300)})
    large = kept.path.stat().st_size
    kept.clear()
    size = kept.size()
    assert size is not None and size.answers == 0 and size.bytes < large / 5
    assert said == []


def test_the_environment_says_where_answers_are_kept_and_how_much(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place() -> Path | None:
        found = opened(tell=said.append)
        return None if found is None else found.path.parent

    for word in ("off", "OFF"):
        monkeypatch.setenv("AFTERS_CACHE", word)
        assert place() is None
    monkeypatch.setenv("AFTERS_CACHE", "~/named")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place() == tmp_path / "named"
    monkeypatch.delenv("AFTERS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert place() == tmp_path / ".cache" / "afters"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert place() == tmp_path / "mine" / "afters"
    monkeypatch.setenv("AFTERS_CACHE_MB", "3")
    found = opened(tell=said.append)
    assert found is not None and found.most_bytes == 3 * MB
    assert said == [] and not any(tmp_path.iterdir())


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "lots"])
def test_a_bound_that_is_no_number_is_refused(number: str, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERS_CACHE", "anywhere")
    monkeypatch.setenv("AFTERS_CACHE_MB", number)
    with pytest.raises(SettingsError, match="AFTERS_CACHE_MB: no number of megabytes"):
        opened(tell=said.append)


def test_a_user_without_a_home_is_told(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("AFTERS_CACHE")
    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert opened(tell=said.append) is None
    assert len(said) == 1
