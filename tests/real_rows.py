"""Rows of the data sets that the library's templates are for, as their releases name them, where some are at hand."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

Row = dict[str, Any]


def opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def lines(path: Path) -> Iterator[Row]:
    with opened(path) as file:
        yield from map(json.loads, file)


def table(path: Path) -> Iterator[Row]:
    with opened(path) as file:
        yield from csv.DictReader(file)


def instances(path: Path) -> Iterator[Row]:
    yield from json.loads(path.read_text(encoding="utf-8"))["Instances"]


def questions(path: Path) -> Iterator[Row]:
    """A file in SQuAD's own nesting, as the flat rows of its release."""
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                starts = [answer["answer_start"] for answer in asked["answers"]]
                answers = {"text": [answer["text"] for answer in asked["answers"]], "answer_start": starts}
                yield {"context": paragraph["context"], "question": asked["question"], "answers": answers}


# What the development data calls otherwise than the release does.


def renamed(**names: str) -> Callable[[Row], Row]:
    return lambda row: {names.get(name, name): value for name, value in row.items()}


def sentiment(row: Row) -> Row:
    return {"text": row["sentence"], "label": ["Bad", "Good"].index(row["label"])}


def topic(row: Row) -> Row:
    kinds = ["World", "Sports", "Business", "Science or Technology"]
    return {"text": row["sentence"], "label": kinds.index(row["label"])}


def everyday(row: Row) -> Row:
    asked = row["question"]
    choices = {part: [choice[part] for choice in asked["choices"]] for part in ("label", "text")}
    return {"question": asked["stem"], "choices": choices, "answerKey": row["answerKey"]}


def article(row: Row) -> Row:
    return {"document": row["input"], "summary": row["output"][0]}


def pair(row: Row) -> Row:
    return {"source": row["en"], "target": row["de"], "source_language": "English", "target_language": "German"}


def tagged(row: Row) -> Row:
    """Words that stand before their tags, as numbers beside them."""
    kinds = ["O", *(f"{place}-{kind}" for kind in ("PER", "ORG", "LOC", "MISC") for place in "BI")]
    tokens: list[str] = []
    tags: list[int] = []
    for word in row["output"][0].split():
        if word.strip("<>") in kinds and tags:
            tags[-1] = kinds.index(word.strip("<>"))
        else:
            tokens.append(word)
            tags.append(0)
    return {"tokens": tokens, "ner_tags": tags}


def plain(row: Row) -> Row:
    return row


Made = tuple[str, str, Callable[[Path], Iterable[Row]], Callable[[Row], Row], dict[str, int]]
"""A template, a file, how to read it and to make release rows of it, and what is set aside of its first rows."""

OLORA = "amazon_reviews/olora_train.jsonl.gz"
SOURCES: list[Made] = [
    ("amazon_reviews/rating", OLORA, lines, plain, {}),
    ("amazon_reviews/rating", "amazon_reviews/amazon_alexa.jsonl", lines, plain, {"empty prompt": 10}),
    ("amazon_reviews/review", OLORA, lines, plain, {}),
    ("amazon_reviews/title", OLORA, lines, plain, {}),
    ("ag_news", "text_classification_olora/agnews_train.jsonl", lines, topic, {}),
    ("banking77", "banking77/test.jsonl", lines, plain, {}),
    ("boolq", "superglue/BoolQ_val.jsonl.gz", lines, renamed(label="answer"), {}),
    ("cola", "glue/cola_dev.jsonl", lines, plain, {}),
    (
        "commonsense_qa",
        "commonsenseqa/dev_rand_split.jsonl",
        lines,
        everyday,
        {"choices that are empty or the same": 18},
    ),
    ("copa", "superglue/COPA_val.jsonl", lines, plain, {}),
    ("dialogsum", "dialogsum/dialogsum.dev.jsonl", lines, plain, {}),
    ("dialogsum", "dialogsum/dialogsum.test.jsonl", lines, plain, {}),
    ("hellaswag", "hellaswag_sample/hellaswag_val_1000.jsonl", lines, plain, {}),
    ("imdb", "imdb_movie_reviews/imdb_sample.jsonl.gz", lines, sentiment, {}),
    (
        "mnli",
        "glue/mnli_sample_dev.jsonl.gz",
        lines,
        renamed(sentence1="premise", sentence2="hypothesis"),
        {"empty answer": 16},
    ),
    ("mrpc", "glue/mrpc_test.jsonl", lines, plain, {}),
    ("named_entities", "natural_instructions/tasks/task610_conllpp_ner.json", instances, tagged, {}),
    ("question_generation", "squad_style_xquad_en/xquad.en.json", questions, plain, {}),
    ("rte", "glue/rte_dev.jsonl", lines, plain, {}),
    ("rte", "superglue/RTE_val.jsonl", lines, renamed(premise="sentence1", hypothesis="sentence2"), {}),
    ("samsum", "samsum/test.jsonl", lines, plain, {}),
    ("squad", "squad_style_xquad_en/xquad.en.json", questions, plain, {}),
    ("sst2", "glue/sst2_dev.jsonl", lines, plain, {}),
    ("stsb", "glue/stsb_test_labelled.jsonl", lines, renamed(score="label"), {}),
    (
        "toxicity",
        "toxicity_madlibs/bias_madlibs_77k.csv.gz",
        table,
        lambda row: {"text": row["Text"], "toxicity": row["Label"] == "BAD"},
        {},
    ),
    ("translation", "opennmt_en_de/val.jsonl", lines, pair, {}),
    ("xsum", "natural_instructions_sapt/task1290_xsum_summarization/test.json", instances, article, {}),
]
