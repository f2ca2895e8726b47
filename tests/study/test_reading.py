from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from afters.config import study_of
from afters.errors import SettingsError
from afters.study.reading import read_tasks
from afters.study.work import TaskAtHand


def read(folder: Path, **settings: Any) -> TaskAtHand:
    lines = [f"Сообщение {number},ответ {number}" for number in range(40)]
    (folder / "chats.csv").write_text("\n".join(["message,reply", *lines]) + "\n", encoding="utf-8")
    chats = {"name": "chats", "source": "chats.csv", "wordings": ["{{ message }}"], "answer": "{{ reply }}"}
    study = study_of({"name": "chats", "task": [{**chats, "metrics": ["rouge"], **settings}]})
    (task,) = read_tasks(study, folder=folder, strict=True)
    return task


def test_references_that_rouge_does_not_read_are_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    (note,) = [note for note in read(tmp_path).account["notes"] if "ROUGE" in note]
    assert "7 of 7 references" in note and 'words = "unicode"' in note


@pytest.mark.parametrize(
    ("settings", "most"), [({"metrics": ["exact_match"]}, 1), ({"metrics": ["rouge"]}, 1), ({"metrics": ["bleu"]}, 100)]
)
def test_an_effect_beyond_the_best_that_a_score_gives_is_refused(
    tmp_path: Path, settings: dict[str, Any], most: float
) -> None:
    assert read(tmp_path, **settings, smallest_effect=most).smallest_effect == most
    with pytest.raises(SettingsError, match=f"no difference is as large(.|\n)*expected: at most {most}"):
        read(tmp_path, **settings, smallest_effect=most * 2)
    with pytest.raises(SettingsError, match="smallest_effect"):
        read(tmp_path, **settings, smallest_effect=float("inf"))


def test_with_words_of_every_script_there_is_nothing_to_tell(tmp_path: Path) -> None:
    task = read(tmp_path, words="unicode", stem=False)
    assert not [note for note in task.account["notes"] if "ROUGE" in note]
    assert "stem:no" in task.metrics[0].signature and "words:unicode" in task.metrics[0].signature
