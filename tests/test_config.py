from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from afters import config
from afters.config import changed, read_study, study_of
from afters.errors import InputError, Problems, SettingsError

STUDY = """\
name = "chats"
seed = 7

[model]
base = "little"

[[task]]
name = "chats"
train = "train.csv"
test = "test.csv"
wordings = ["What? {{ text }}"]
answer = "{{ label }}"

[train]
epochs = 2
"""

SECOND = """
[[task]]
name = "words"
source = "words.csv"
template = "words"
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_a_study_that_is_no_file_is_changed_as_a_file_s_is(written: Path) -> None:
    changes = ["train.rows=[0, 100]", "task.chats.smallest_effect=0.1"]
    assert changed(read_study(written), changes=changes) == read_study(written, changes=changes)
    assert changed(read_study(written), changes=[]) == read_study(written)
    with pytest.raises(SettingsError, match="unknown setting 'row'; did you mean 'rows'"):
        changed(read_study(written), changes=["train.row=[1]"])


def test_what_a_stage_says_is_laid_over_what_the_study_says_of_training(written: Path) -> None:
    stages = '[[stage]]\ntask = "words"\n[stage.train]\nlora.rank = 4\nepochs = 1\n[[stage]]\ntask = "chats"\n'
    method = 'method = "lora"\nmerge = true\nbatch_rows = 5\nlora.alpha = 3.0\n'
    written.write_text(STUDY + method + SECOND + stages)
    study = read_study(written)
    first, second = study.stages
    assert first.train is not None and second.train is None
    assert (first.train.epochs, first.train.batch_rows, first.train.method, first.train.merge) == (1, 5, "lora", True)
    assert (first.train.lora.rank, first.train.lora.alpha) == (4, 3)
    assert study_of(study.plain()) == study
    with pytest.raises(SettingsError, match=r"^study.toml: \[train\]: unknown setting 'epoch'"):  # and of the stage not
        read_study(written, changes=["train.epoch=1"])


def test_a_study_is_read_with_its_defaults(written: Path) -> None:
    study = read_study(written)
    assert (study.name, study.seed, study.model.base, study.train.epochs) == ("chats", 7, "little", 2.0)
    assert [task.name for task in study.tasks] == ["chats"]
    assert study.train.learning_rate == 3e-4
    assert study.decoding.max_new_tokens == study.judge.max_new_tokens
    assert study_of(study.plain()) == study, "what a run folder keeps reads back as the same study"


def problem(written: Path, text: str) -> InputError:
    written.write_text(text)
    with pytest.raises(InputError) as caught:
        read_study(written)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "where", "told"),
    [
        ("seed = 7", "sead = 7", "study.toml", "unknown setting 'sead'; did you mean 'seed'?"),
        ("[[task]]", "[[tasc]]", "study.toml", "did you mean 'task'?"),
        ("[train]\nepochs", "[train]\nepoch", "study.toml: [train]", "unknown setting 'epoch'; did you mean 'epochs'?"),
        ("base =", "bass =", "study.toml: [model]", "unknown setting 'bass'; did you mean 'base'?"),
        ("answer =", "anwser =", "study.toml: [task.0]", "unknown setting 'anwser'; did you mean 'answer'?"),
        ("epochs = 2", "lora.rang = 2", "study.toml: [train.lora]", "unknown setting 'rang'; did you mean 'rank'?"),
        ('[model]\nbase = "little"', "[judge]\nmax_tokens = 2", "study.toml: [judge]", "'max_new_tokens'?"),
        ('[model]\nbase = "little"', "[before]\nshot = 2", "study.toml: [before]", "did you mean 'shots'?"),
    ],
)
def test_an_unknown_key_is_told_with_its_table_and_the_nearest(
    written: Path, old: str, new: str, where: str, told: str
) -> None:
    assert old in STUDY
    found = problem(written, STUDY.replace(old, new))
    problems = found.problems if isinstance(found, Problems) else (found,)
    (unknown,) = [one for one in problems if one.what.startswith("unknown setting")]
    assert unknown.where == where
    assert told in unknown.what


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("epochs = 2", "epochs = -1", ("'train.epochs'", "greater than 0", "-1")),
        ("epochs = 2", "epochs = inf", ("'train.epochs'", "a finite number", "inf")),
        (
            "epochs = 2",
            'schedule = "cosin"',
            ("'train.schedule'", "'cosine', 'linear', 'constant' or 'inverse_sqrt'", "'cosin'"),
        ),
        ("epochs = 2", 'epochs = "two"', ("'train.epochs'", "valid number", "'two'")),
        ("seed = 7", "seed = 7.5", ("'seed'", "valid integer", "7.5")),
        ('name = "chats"\nseed', 'name = "../chats"\nseed', ("'name'", "match pattern", "'../chats'")),
        ('name = "chats"\nseed', "seed", ("'name' is missing",)),
        ('test = "test.csv"', "", ("task.0", "give the files `train` and `test`, or one `source`")),
        ('train = "train.csv"', 'validation = "v.csv"', ("task.0", "`validation` is what is chosen on while `train`")),
    ],
)
def test_a_value_that_is_not_allowed_is_told_with_what_is(
    written: Path, old: str, new: str, told: tuple[str, ...]
) -> None:
    assert old in STUDY
    message = str(problem(written, STUDY.replace(old, new, 1)))
    assert message.startswith("study.toml: ")
    assert all(part in message for part in told), message


def test_all_problems_are_told_together(written: Path) -> None:
    spoilt = STUDY.replace("seed = 7", "sead = 7").replace("epochs = 2", "epochs = 0\nclip = 0").replace("base", "bass")
    found = problem(written, spoilt)
    assert isinstance(found, Problems)
    assert len(found.problems) == 4
    assert str(found).startswith("4 problems:\n- study.toml")
    assert all(name in str(found) for name in ("'sead'", "'bass'", "'train.epochs'", "'train.clip'"))


def test_toml_that_is_broken_is_told_with_its_line(written: Path) -> None:
    found = problem(written, STUDY.replace("epochs = 2", "epochs = "))
    assert found.where == "study.toml"
    assert found.what == "no valid TOML"
    assert "line 15" in (found.received or "")


def test_a_missing_file_is_told_with_the_nearest_one(written: Path) -> None:
    with pytest.raises(SettingsError, match=r"no study '.*stody\.toml'; did you mean '.*/study\.toml'\?"):
        read_study(written.with_name("stody.toml"))
    with pytest.raises(SettingsError) as caught:
        read_study(written.with_name("quite_another"))
    assert "did you mean" not in str(caught.value)
    with pytest.raises(SettingsError, match="no study"):
        read_study(written.parent / "nowhere" / "study.toml")


def test_what_is_no_text_file_is_told(written: Path) -> None:
    for path in (written.parent, written / "below"):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_study(path)
    written.write_bytes(b'name = "\xff"')
    with pytest.raises(SettingsError, match="cannot be read"):
        read_study(written)


# --set


def test_set_takes_numbers_texts_truths_and_lists(written: Path) -> None:
    changes = ["train.learning_rate=1e-3", "name=other", "before.nearest=false", "before.shots=[0, 4]", "seed = 9"]
    plain = read_study(written, changes=changes)
    assert (plain.train.learning_rate, plain.name, plain.seed) == (1e-3, "other", 9)
    assert (plain.before.nearest, plain.before.shots) == (False, (0, 4))
    assert read_study(written, changes=['name="quoted"', "train.method=lora", "train.lora.rank=4"]).name == "quoted"
    assert read_study(written, changes=["name=a", "name=b"]).name == "b", "the last one holds"
    assert read_study(written, changes=["model.base=owner/name"]).model.base == "owner/name"
    assert read_study(written, changes=["model.base=a=b"]).model.base == "a=b"
    assert read_study(written, changes=["name=2024-05-01"]).name == "2024-05-01", "a date is what a name may look like"


def test_set_reaches_a_task_by_name_by_number_or_as_the_only_one(written: Path) -> None:
    for key in ("task.chats.train_limit", "task.0.train_limit", "task.train_limit"):
        (task,) = read_study(written, changes=[f"{key}=5"]).tasks
        assert task.train_limit == 5
    written.write_text(STUDY + SECOND)
    limits = [task.train_limit for task in read_study(written, changes=["task.words.train_limit=5"]).tasks]
    assert limits == [None, 5]
    (_, second) = read_study(written, changes=["task.1.fractions.train=0.7", "task.1.fractions.test=0.2"]).tasks
    assert second.fractions.train == 0.7


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("train.learning_rate", "expected: KEY=VALUE"),
        ("=3", "expected: KEY=VALUE"),
        ("train.lerning_rate=1", "did you mean 'learning_rate'?"),
        ("trian.epochs=1", "unknown setting 'trian'; did you mean 'train'?"),
        ("name.first=1", "'first' below a plain value"),
        ("name.first.second=1", "'first' below a plain value"),
        ("before.shots.0=1", "below"),
        ("task.wrods.train_limit=1", "unknown task 'wrods'; did you mean 'words'?"),
        ("task.train_limit=1", "'train_limit' below several tables"),
        ("train.epochs=many", "valid number"),
    ],
)
def test_a_set_that_cannot_be_done_is_told(written: Path, change: str, told: str) -> None:
    written.write_text(STUDY + SECOND + "\n[before]\nshots = [0]\n")
    with pytest.raises(InputError) as caught:
        read_study(written, changes=[change])
    assert told in str(caught.value)


def test_the_examples_in_its_docstrings_run() -> None:
    assert doctest.testmod(config).failed == 0


def test_a_setting_of_another_way_to_write_answers_is_refused(written: Path) -> None:
    model = '[model]\nbase = "little"'
    found = problem(written, STUDY.replace(model, f"{model}\n[judge]\nbeams = 2"))
    assert 'beams is read by method = "beam" alone' in str(found)
    found = problem(written, STUDY.replace(model, f'{model}\n[judge]\nmethod = "beam"\nanswers = 3'))
    assert 'answers is read by method = "sample" alone' in str(found)
