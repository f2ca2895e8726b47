"""The verbs as a user types them: what they print, and how they end."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from serving import FakeServer, Said, serving
from tickets import COLOURS, tickets, write_colours
from tiny_models import Tiny

START = "decoder_start_token_id"


@pytest.fixture
def folder(tmp_path: Path, tiny: Tiny) -> Path:
    return tickets(tmp_path, base=tiny("t5")).parent


def afters(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "afters", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_run_tells_a_verdict_and_where_the_page_is(folder: Path) -> None:
    done = afters(folder, "run", "study.toml", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "exact_match" in done.stdout and "out/report.html" in done.stdout
    assert (folder / "out" / "report.html").is_file()
    again = afters(folder, "report", "out", "--json")
    verdict = json.loads((folder / "out" / "verdict.json").read_text())
    assert json.loads(again.stdout) == verdict
    compared = afters(folder, "compare", "out", "--json")
    assert compared.returncode == 0, compared.stderr
    assert json.loads(compared.stdout)["comparisons"][0] == verdict["comparisons"][0]


def test_mend_tries_a_replay_that_is_held_to_the_base_and_what_lies_between(folder: Path) -> None:
    write_colours(folder, rows=60)
    file = folder / "study.toml"
    file.write_text(file.read_text().replace("[keep]\ntasks = []\n", COLOURS))
    done = afters(folder, "run", "study.toml", "--mend", "--out", "out")
    assert done.returncode == 0, done.stderr
    cures = json.loads((folder / "out" / "verdict.json").read_text())["cures"]
    tried = [one["name"] for one in cures if one["kind"] not in ("plain", "checkpoint")]
    assert tried == ["kl-0.25", *(f"between-{share}" for share in (0.4, 0.6, 0.8, 0.9))]
    assert "What each model gained" in done.stdout


def test_evaluate_tells_the_scores_of_a_model_and_leaves_what_compare_reads(
    folder: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for out, model in (("one", tiny("t5")), ("two", tiny("llama"))):
        assert ending(folder, "evaluate", str(model), "study.toml", "--out", out, patch=monkeypatch) == 0
        told = capsys.readouterr().out
        assert "exact_match" in told and " to " in told and "afters compare OTHER" in told
    words = ("evaluate", str(tiny("t5")), "study.toml", "--out", "one", "--json")
    assert ending(folder, *words, patch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "one" / "scores.json").read_text())
    assert ending(folder, "compare", "one", "two", "--json", patch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["comparisons"][0]["not_checked"] == ["prompts"]
    assert ending(folder, "report", "one", patch=monkeypatch) == 2
    assert "an evaluation has scores, and no verdict" in capsys.readouterr().err


def test_an_evaluation_that_is_killed_asks_no_whole_batch_twice(folder: Path) -> None:
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(700)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    with serving(FakeServer()) as server:
        server.slow_seconds = 0.1
        words = ("evaluate", server.address, "study.toml", "--out", "out")
        with subprocess.Popen(
            [sys.executable, "-m", "afters", *words], cwd=folder, stderr=subprocess.DEVNULL
        ) as killed:
            wait_for(folder / "out", pattern="results/*/answers.jsonl")
            killed.kill()
        (answers,) = folder.glob("out/results/*/answers.jsonl")
        known = answers.read_text().split("\n")[:-1]
        assert 32 <= len(known) < 71
        server.slow_seconds = 0.0
        server.asked.clear()
        done = afters(folder, *words)
        assert done.returncode == 0, done.stderr
        assert f"{len(known)} of 71 answers are known already" in done.stderr
        assert len(server.asked) == 71 - len(known)
    told = json.loads((folder / "out" / "scores.json").read_text())
    assert told["scores"][0]["judged"] == 71


def test_an_evaluation_that_is_stopped_waits_for_no_server(folder: Path) -> None:
    with serving(FakeServer()) as server:
        server.answer = lambda asked: Said(how="late")
        words = [sys.executable, "-m", "afters", "evaluate", server.address, "study.toml", "--out", "out"]
        with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
            until = time.monotonic() + 60
            while not server.asked and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert "Run the same command again" in process.communicate(timeout=60)[1]
            assert process.returncode == 143 and time.monotonic() - told < 20


def test_preview_shows_what_is_read_and_what_is_taught_and_loads_no_weights(folder: Path) -> None:
    done = afters(folder, "preview", "study.toml", "-n", "1")
    assert done.returncode == 0, done.stderr
    assert "Which team?" in done.stdout and "tokens to read" in done.stdout and "set aside" in done.stdout
    assert "label balance" in done.stdout and "nothing found by" in done.stdout


def test_preview_ends_with_2_where_a_run_would_prove_nothing(folder: Path) -> None:
    lines = [f"Message {number},a" for number in range(60)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    done = afters(folder, "preview", "study.toml", "--json")
    assert done.returncode == 2 and "a run would prove nothing, because of: label balance" in done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["spoilt"]) == ("afters.preview/1", True)
    (task,) = told["tasks"]
    assert task["findings"][0]["severity"] == "spoils" and "Take in rows" in task["findings"][0]["way_out"]


def test_templates_lists_the_library_and_shows_one(folder: Path) -> None:
    listed = afters(folder, "templates", "--category", "sentiment").stdout
    assert "amazon_reviews/rating" in listed and "dialogsum" not in listed
    assert "Positive or negative?" in afters(folder, "templates", "imdb").stdout
    (shown,) = json.loads(afters(folder, "templates", "--category", "extraction", "--language", "de", "--json").stdout)
    assert shown["name"] == "named_entities"
    assert json.loads(afters(folder, "templates", "imdb", "--json").stdout)["taught"] == "positive"


def test_score_prints_the_signature_and_the_unjudged(folder: Path) -> None:
    (folder / "answers.txt").write_text("It is very cold outside\n")
    (folder / "right.txt").write_text("It is cold outside\n")
    done = afters(folder, "score", "--metric", "rouge", "--predictions", "answers.txt", "--references", "right.txt")
    assert "rouge1 = 0.888889" in done.stdout and "stem" in done.stdout and "0 not" in done.stdout


def test_score_takes_rouges_options_and_tells_what_to_know_before_believing(folder: Path) -> None:
    (folder / "answers.txt").write_text("Привет мир\n\n")
    (folder / "right.txt").write_text("Привет мир\nrunning\n")
    (folder / "other.txt").write_text("мир\nran\n")
    files = ("--predictions", "answers.txt", "--references", "right.txt", "--references", "other.txt")
    done = afters(folder, "score", "--metric", "rouge1", *files)
    assert "rouge1 = 0 " in done.stdout
    assert "1 of 2 answers are empty" in done.stderr and 'words = "unicode"' in done.stderr
    options = ("--words", "unicode", "--best-reference", "--no-stem", "--json")
    best = json.loads(afters(folder, "score", "--metric", "rouge", *files, *options).stdout)[0]
    assert (best["name"], best["value"], best["signature"][:19]) == ("rouge1", 0.5, "refs:best|stem:no|s")


def test_what_no_case_could_be_judged_on_has_no_value(folder: Path) -> None:
    (folder / "answers.txt").write_text("yes\n")
    files = ("--predictions", "answers.txt", "--references", "answers.txt")
    score, *_ = json.loads(afters(folder, "score", "--metric", "facts", *files, "--json").stdout)
    assert (score["value"], score["judged"], score["unjudged"]) == (None, 0, 1)


def test_cache_tells_what_is_kept_and_forgets_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ending(folder, "cache", patch=monkeypatch) == 0
    assert capsys.readouterr().out == "no answers are kept: AFTERS_CACHE is off\n"
    monkeypatch.setenv("AFTERS_CACHE", "kept")
    monkeypatch.setenv("AFTERS_CACHE_MB", "20")
    assert ending(folder, "run", "study.toml", "--out", "out", patch=monkeypatch) == 0
    capsys.readouterr()
    assert ending(folder, "cache", "--json", patch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] > 20 and 0 < told["bytes"] < told["most_bytes"] == 20 * 2**20
    assert told["path"] == "kept/answers.sqlite"
    assert ending(folder, "cache", "--clear", patch=monkeypatch) == 0
    assert capsys.readouterr().out == "0 answers, 0.0 MB of 20 MB, in kept/answers.sqlite\n"


def test_a_cache_that_cannot_be_used_is_told_and_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "answers.sqlite").write_text("not a database " * 500)
    monkeypatch.setenv("AFTERS_CACHE", ".")
    assert ending(folder, "cache", patch=monkeypatch) == 2
    assert "answers.sqlite cannot be used: file is not a database" in capsys.readouterr().err
    assert ending(folder, "cache", "--clear", patch=monkeypatch) == 0
    monkeypatch.setenv("AFTERS_CACHE_MB", "many")
    for verb in (("cache",), ("run", "study.toml")):
        assert ending(folder, *verb, patch=monkeypatch) == 2
        assert "AFTERS_CACHE_MB: no number of megabytes" in capsys.readouterr().err
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("metric", ["rouge9", "pyrouge", "chrf", "ter"])
def test_score_knows_the_metrics_of_published_numbers(folder: Path, metric: str) -> None:
    (folder / "answers.txt").write_text("It is very cold outside\n")
    (folder / "right.txt").write_text("It is cold outside\n")
    done = afters(folder, "score", "--metric", metric, "--predictions", "answers.txt", "--references", "right.txt")
    assert done.stdout.startswith(metric) and "version:" in done.stdout or "rouge_score-0.1.2" in done.stdout


def test_score_takes_the_different_references_for_labels(folder: Path) -> None:
    (folder / "made.txt").write_text("ham\nspam\nham\neggs\n")
    (folder / "true.txt").write_text("ham\nspam\nspam\nham\n")
    files = ("--predictions", "made.txt", "--references", "true.txt")
    assert "macro_f1 = 0.583333" in afters(folder, "score", "--metric", "macro_f1", *files).stdout
    told = afters(folder, "score", "--metric", "binary_f1", "--positive", "ham", *files).stdout
    assert "binary_f1 = 0.5 " in told and "positive:ham" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rnu",), "Did you mean 'run'"),
        (("run", "studi.toml"), "did you mean 'study.toml'"),
        (("run", "study.toml", "--set", "train.learning_rte=1"), "did you mean 'learning_rate'"),
        (("run", "study.toml", "--set", "train.learning_rate=fast"), "received: 'fast'"),
        (("run", "study.toml", "--set", 'task.metrics=["rogue"]'), "did you mean 'rouge'"),
        (("run", "study.toml", "--set", "task.primary=bleu"), "expected: one of exact_match"),
        (("run", "study.toml", "--set", "model.base=afters-tini"), "did you mean 'afters-tiny'"),
        (("run", "study.toml", "--set", "task.source=ticket.csv"), "Did you mean 'tickets.csv'"),
        (("run", "study.toml", "--set", "task.source=empty.csv"), "empty.csv: the file is empty"),
        (("run", "study.toml", "--set", 'task.wordings=["{{ mesage }}"]'), "did you mean 'message'"),
        (("run", "study.toml", "--set", 'task.wordings=["a\\n{{ message "]'), "line 2"),
        (("run", "study.toml", "--set", "task.answer={{ message.__class__ }}"), "reaches for more than its row"),
        (("run", "study.toml", "--set", "task.template=dialogsom"), "did you mean 'dialogsum'"),
        (("run", "study.toml", "--set", "model.base=pickled"), "only pickled weights (pytorch_model.bin)"),
        (("run", "study.toml", "--strict", "--set", "task.source=broken.jsonl"), "broken.jsonl:3:"),
        (("run", "study.toml", "--strict", "--set", "task.source=unanswered.csv"), "unanswered.csv:4:team"),
        (("run", "study.toml", "--strict", "--set", "task.source=latin.csv"), "the byte 0xe9"),
        (("run", "study.toml", "--set", "train.learning_rate=0"), "received: 0"),
        (("run", "study.toml", "--set", "train.learning_rate=nan"), "a finite number"),
        (("run", "study.toml", "--set", "train.token_budget=1"), "no row fits into a batch"),
        (("run", "study.toml", "--set", "model.max_prompt_tokens=3"), " tokens, 3 fit"),
        (("run", "study.toml", "--set", "task.too_long=skip"), "'error', 'drop' or 'cut'"),
        (("run", "study.toml", "--set", "model.base=misspelt.json"), "did you mean 'd_model'"),
        (("run", "study.toml", "--set", "model.base=uneven.json"), "not a multiple of the number of attention heads"),
        (("run", "study.toml", "--set", "model.base=endless"), "names no token that ends a text"),
        (("run", "study.toml", "--set", "model.base=startless"), "names no token that begins an answer"),
        (("run", "study.toml", "--out", "tickets.csv"), "'tickets.csv' is a file"),
        (("run", "study.toml", "--out", "foreign"), "does not say what it was made with"),
        (("run", "study.toml", "--set", "model.base=http://localhost:1/v1#m"), "can be asked, and not taught"),
        (("evaluate", "http://localhost:1/v1", "study.toml"), "the address names no model"),
        (("evaluate", "http://me:pass@localhost:1/v1#m", "study.toml"), "no password and no query"),
        (("evaluate", "afters-tini", "study.toml"), "did you mean 'afters-tiny'"),
        (("evaluate", "afters-tiny", "study.toml", "--out", "foreign"), "does not say what it was made with"),
        (("evaluate", "afters-tiny", "study.toml", "--set", "model.endpoint.in_fligt=2"), "did you mean 'in_flight'"),
        (("report", "nowhere"), "no finished run in 'nowhere'"),
        (("templates", "dialogsom"), "did you mean 'dialogsum'"),
        (("templates", "amazon_reviews"), "one of amazon_reviews/rating, amazon_reviews/review, amazon_reviews/title"),
        (("templates", "--category", "summary"), "did you mean 'summarisation'"),
        (("templates", "imdb", "--language", "en"), "a name, or what to list"),
        (("run", "study.toml", "--set", 'task.metrics=["perplexity"]'), "judges choices, and the task has none"),
        (("score", "--metric", "nll", "--predictions", "a", "--references", "b"), "cannot be computed from written"),
        (("score", "--metric", "rogue", "--predictions", "a", "--references", "b"), "did you mean 'rouge'"),
        (("score", "--metric", "bleu", "--no-stem", "--predictions", "a", "--references", "b"), "has no option for"),
        (("score", "--metric", "rouge", "--words", "utf", "--predictions", "a", "--references", "b"), "kind of words"),
        (("score", "--metric", "ter", "--predictions", "tickets.csv", "--references", "two.txt"), "two.txt:3:"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-1:]) if isinstance(value, tuple) else "",
)
def test_bad_input_ends_with_2_and_one_message(
    folder: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty.csv").write_text("")
    (folder / "two.txt").write_text("a\nb\n")
    (folder / "broken.jsonl").write_text('{"message": "a", "team": "b"}\n' * 2 + '{"message": \n')
    (folder / "unanswered.csv").write_text("message,team\nx,a\ny,b\nz,\n")
    (folder / "latin.csv").write_bytes(b"message,team\ncaf\xe9,a\n")
    (folder / "pickled").mkdir()
    (folder / "pickled" / "config.json").write_text('{"model_type": "t5"}')
    (folder / "pickled" / "pytorch_model.bin").write_bytes(b"")
    spoil(folder)
    code = ending(folder, *words, patch=monkeypatch)
    complaint = capsys.readouterr().err
    assert code == 2
    assert said in complaint
    assert "Traceback" not in complaint
    assert not (folder / "runs").exists()


def spoil(folder: Path) -> None:
    """Put models that cannot be used beside the study, and a run folder with somebody else's checkpoints."""
    base = Path(tomllib.loads((folder / "study.toml").read_text())["model"]["base"])
    for name, file, key in (("endless", "tokenizer_config", "eos_token"), ("startless", "config", START)):
        shutil.copytree(base, folder / name)
        content = json.loads((folder / name / f"{file}.json").read_text())
        del content[key]
        (folder / name / f"{file}.json").write_text(json.dumps(content))
    (folder / "misspelt.json").write_text('{"model_type": "t5", "d_modle": 16}')
    (folder / "uneven.json").write_text('{"model_type": "llama", "hidden_size": 18, "num_attention_heads": 4}')
    (folder / "foreign" / "train" / "checkpoints" / "step-000001").mkdir(parents=True)
    (folder / "foreign" / "results" / "0123456789abcdef").mkdir(parents=True)


def test_the_run_folder_of_another_study_is_refused_and_left_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "study.toml", "--out", "out", "--json")
    assert ending(folder, *words, patch=monkeypatch) == 0
    before = {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
    for change, said in (("seed=5", "another seed"), ("train.clip=2", "another train.clip")):
        assert ending(folder, *words, "--set", change, patch=monkeypatch) == 2
        complaint = capsys.readouterr().err
        assert said in complaint and "--out" in complaint
    assert before == {path: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}


def test_a_model_without_a_padding_token_is_taught(folder: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pad_token" not in json.loads((tiny("gpt2") / "tokenizer_config.json").read_text())
    words = ("run", "study.toml", "--out", "out", "--json", "--set", f"model.base={tiny('gpt2')}")
    assert ending(folder, *words, patch=monkeypatch) == 0


def ending(folder: Path, *words: str, patch: pytest.MonkeyPatch) -> object:
    """Run a verb within this process, from `folder`, and return the code it ends with."""
    from afters.cli import main

    patch.chdir(folder)
    patch.setattr(sys, "argv", ["afters", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_fault_of_the_model_folder_is_told_with_the_data_s(folder: Path) -> None:
    wrong = ("--set", "model.base=afters-tini", "--set", 'task.wordings=["{{ mesage }}"]')
    done = afters(folder, "run", "study.toml", *wrong)
    assert done.returncode == 2
    assert "did you mean 'afters-tiny'" in done.stderr and "did you mean 'message'" in done.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_says_how_to_go_on(folder: Path, sent: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "afters", "run", "study.toml", "--out", "out", "--set", "train.epochs=5000"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        wait_for(folder / "out" / "train" / "steps.jsonl")
        process.send_signal(sent)
        assert "Run the same command again" in process.communicate(timeout=60)[1]
        assert process.returncode == code


@pytest.mark.slow
def test_a_run_killed_in_training_and_in_judging_comes_to_the_same_verdict(folder: Path) -> None:
    """SIGKILL: nothing of the process runs any more, unlike after an exception."""
    changes = ("--set", "train.epochs=60", "--set", "train.validations=6", "--set", "judge.max_new_tokens=64")
    assert afters(folder, "run", "study.toml", "--out", "whole", *changes).returncode == 0
    for mark in ("results/*/answers.jsonl", "train/checkpoints/step-*/state.json", "model/config.json"):
        command = [sys.executable, "-m", "afters", "run", "study.toml", "--out", "killed", *changes]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        wait_for(folder / "killed", pattern=mark)
        process.kill()
        # From the last mark on there is little left to do: on a busy machine it may be done before the signal comes.
        assert process.wait(60) == -signal.SIGKILL or mark == "model/config.json"
    assert afters(folder, "run", "study.toml", "--out", "killed", *changes).returncode == 0
    assert (folder / "killed" / "verdict.json").read_bytes() == (folder / "whole" / "verdict.json").read_bytes()


@pytest.mark.slow
def test_a_run_terminated_at_any_moment_ends_with_143_and_comes_to_the_same_verdict(folder: Path) -> None:
    """Twice each time, the second signal while the first is obeyed; on the way through reading, asking and teaching."""
    changes = ("--set", "train.epochs=40", "--set", "train.validations=8", "--set", "judge.max_new_tokens=48")
    began = time.monotonic()
    assert afters(folder, "run", "study.toml", "--out", "whole", *changes).returncode == 0
    seconds = time.monotonic() - began
    command = [sys.executable, "-m", "afters", "run", "study.toml", "--out", "stopped", *changes]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    for share in (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97):
        with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
            try:
                process.wait(1 + share * seconds)
            except subprocess.TimeoutExpired:
                pass
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            complaint = process.communicate(timeout=60)[1]
            assert time.monotonic() - told < 20
        assert process.returncode in (143, 0), complaint
        assert "Traceback" not in complaint and "ignored" not in complaint
        if process.returncode == 143:
            assert "Stopped. Run the same command again to go on." in complaint
        if list((folder / "stopped").glob("train/steps.jsonl")):
            assert list((folder / "stopped").glob("train/checkpoints/step-*/state.json"))
    assert afters(folder, "run", "study.toml", "--out", "stopped", *changes).returncode == 0
    assert (folder / "stopped" / "verdict.json").read_bytes() == (folder / "whole" / "verdict.json").read_bytes()
    steps = [[json.loads(line)["loss"] for line in path.read_text().splitlines()] for path in sorted(logs(folder))]
    assert steps[0] == steps[1]


def logs(folder: Path) -> list[Path]:
    return [folder / name / "train" / "steps.jsonl" for name in ("stopped", "whole")]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "lost"), [(100, "afters: File"), (30_000, "the checkpoint step-")])
def test_a_disk_without_room_is_told_in_one_message_and_a_run_with_room_goes_on(
    folder: Path, size: int, lost: str
) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    command = [sys.executable, "-m", "afters", "run", "study.toml", "--out", "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, preexec_fn=limited, check=False
    )
    assert done.returncode == 2, done.stderr
    assert lost in done.stderr and "ile too large" in done.stderr and "Make room on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert afters(folder, "run", "study.toml", "--out", "out").returncode == 0


def test_a_stop_that_is_lost_on_the_way_comes_again() -> None:
    """As one that comes in a destructor, whose exceptions Python prints and forgets."""
    code = """
import os, signal, time
from afters import cli

class Lost:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000): pass

cli.SECONDS_TO_UNWIND = 0.2

def lose():
    Lost()
    time.sleep(30)

cli.app = lose
cli.main()
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 143
    assert "ignored" in done.stderr and "Stopped" in done.stderr
    assert time.monotonic() - began < 20


def test_a_signal_after_the_verb_has_ended_changes_nothing() -> None:
    code = """
import atexit, os, signal
from afters import cli

atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))
cli.app = lambda: None
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def wait_for(path: Path, *, pattern: str = "", seconds: float = 120) -> None:
    """Wait until a file is there, and holds something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = list(path.glob(pattern)) if pattern else [path]
        if any(one.is_file() and one.stat().st_size for one in found):
            return
        time.sleep(0.02)
    raise AssertionError(f"{path}/{pattern} never came")


def test_importing_afters_imports_nothing_heavy() -> None:
    code = "import sys, afters; assert not {'torch', 'numpy', 'pydantic', 'rich', 'typer'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_of_the_face_is_there() -> None:
    import afters as face

    assert all(getattr(face, name) is not None for name in face.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        _ = face.tune


@pytest.mark.parametrize(("words", "told"), [(("a.csv", "to"), "after 'to'"), (("to", "a.csv"), "before 'to'")])
def test_a_side_that_is_empty_is_no_comparison(
    tmp_path: Path,
    words: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ending(tmp_path, "compare", *words, patch=monkeypatch) == 2
    assert f"nothing to compare with {told}" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["before.shots=[-1]", "task.source="])
def test_settings_that_mean_nothing_are_refused(
    folder: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(folder, "preview", "study.toml", "--set", change, patch=monkeypatch) == 2
    assert change.split("=")[0].split(".")[1] in capsys.readouterr().err


def test_a_folder_that_may_not_be_written_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/out")

    monkeypatch.setattr("afters.study.run.run", refused)
    assert ending(folder, "run", "study.toml", "--out", "out", patch=monkeypatch) == 2
    told = capsys.readouterr().err
    assert "/out: Permission denied" in told and "Name another place" in told
