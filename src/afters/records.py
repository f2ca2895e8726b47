"""What travels: Example, Shot, Prediction, Case, Score, Result, Comparison.

Plain frozen records that know nobody. A judging row is an Example, then a Prediction; both meet in a Case; the
Cases of one Dataset and one model are a Result; two Results make Comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Row = tuple[float, ...]
"""What a metric observed on one Case: a vector whose sums over Cases are all that the score needs."""

Direction = Literal["higher", "lower"]
"""Which way is better."""

Kind = Literal["binary", "case", "corpus"]
"""A metric's kind: right or wrong per Case; a number per Case; only defined over many Cases."""

Objective = Literal["answer", "span_corruption", "continuation"]
"""What is taught of an Example: its answer; what stood in the holes of its prompt; how its prompt goes on."""

SIGNED = ("dataset", "shots", "decoding", "weights", "adapter", "tokenizer", "precision", "code")
"""What of a Result's identity stands in a signature. `dataset` covers rows, templates and the seed of wordings."""

Verdict = Literal["improved", "improved_effect_unproven", "worse", "equivalent", "cannot_tell"]
"""The words of a verdict; see `compare/verdict.py`."""

Correction = Literal["", "Holm", "Benjamini-Hochberg"]
"""What p-values pay for being several: Holm's among declared ones, the other among those that explore."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A solved example that stands in a prompt before the question."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row, or a part of one, that was not used, and why."""

    source: str
    """File and row, as `support.csv:17`."""
    reason: str
    """A short phrase that many rows share, to be counted: "empty answer"."""
    detail: str = ""
    """What is particular to this row."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row as an instruction: the question in words, and what a person answered."""

    id: str
    """Unique within its Dataset; the same before and after."""
    task: str
    source: str
    """File and row, as `support.csv:17`."""
    content: str
    """What the prompts' columns say over all wordings, without answer and template, normalised."""
    wording: str
    """Which of the task's wordings asks."""
    prompt: str
    references: tuple[str, ...]
    """One or more right answers; the first is what is taught."""
    system: str = ""
    """What a chat model is told first."""
    shots: tuple[Shot, ...] = ()
    turns: int = 0
    """How many of the shots, the last ones, were said before this question in the same conversation."""
    cuttable: tuple[int, int] | None = None
    """The span of `prompt` that may be shortened when the prompt is too long; None: nothing may be."""
    choices: tuple[str, ...] = ()
    """The closed set of answers, when there is one."""
    choice_scores: tuple[float, ...] = ()
    """How much each choice is worth, where that is not 1 for the first reference and 0 otherwise."""
    group: str = ""
    """Examples of one group are scored as one Case; by default each stands alone."""
    cluster: str = ""
    """Cases of one cluster are resampled together; by default the hash of `content`."""
    variant: str = "original"
    """"original", or which perturbed twin this is."""
    objective: Objective = "answer"
    """Other than "answer", the prompt is a text that is hidden in part, and that part is taught and judged."""
    draw: int = 0
    """What decides which part that is."""
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is written; part of a Result's identity."""

    max_new_tokens: int = 64
    method: Literal["greedy", "beam", "sample"] = "greedy"
    beams: int = 4
    """Of beam search: how many beginnings are followed at once."""
    temperature: float = 1.0
    """Of sampling: below 1 the likely becomes likelier."""
    top_p: float = 1.0
    """Of sampling: tokens are drawn from the fewest that hold this share of the probability (arXiv:1904.09751)."""
    answers: int = 1
    """Of sampling: how many answers each prompt gets."""
    seed: int = 0
    """Of sampling."""
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these."""

    def plain(self) -> dict[str, Any]:
        """Return what decides the answers, without the settings of other methods."""
        others = {"greedy": _BEAM | _SAMPLE, "beam": _SAMPLE, "sample": _BEAM}[self.method]
        return {name: value for name, value in asdict(self).items() if name not in others and value != ()}


_BEAM, _SAMPLE = {"beams"}, {"temperature", "top_p", "answers", "seed"}
"""The settings of Decoding that only one method reads."""


@dataclass(frozen=True, slots=True)
class ChoiceScore:
    """What a model thinks of one choice."""

    log_probability: float
    """Natural logarithm, summed over the choice's tokens."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answered to one Example."""

    example: str
    """The Example's id."""
    answers: tuple[str, ...] = ()
    """The written answer, or several when sampled."""
    choices: tuple[ChoiceScore, ...] = ()
    """One for each of the Example's choices, in their order."""
    prompt_hash: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    finished: bool = True
    """Whether the answer ended by itself, not at the limit of new tokens."""
    shots_used: int = 0
    tokens_cut: int = 0
    """How many tokens of the cuttable span did not fit."""
    seconds: float = 0.0
    """This answer's share of its batch's time."""
    answered_by: str = ""
    """The name that a server's reply gave its model, as a dated state of the one that was asked."""
    from_cache: bool = False
    """Whether it had been asked before, perhaps by another study; `seconds` are of then."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Prediction:
        """Return what `asdict` has made plain, and JSON may have carried."""
        choices = tuple(ChoiceScore(**choice) for choice in content["choices"])
        return cls(**{**content, "answers": tuple(content["answers"]), "choices": choices})


@dataclass(frozen=True, slots=True)
class Case:
    """What is scored as one: an Example with its Prediction, or a group of them."""

    id: str
    cluster: str
    examples: tuple[Example, ...]
    predictions: tuple[Prediction, ...]

    @property
    def lost_shots(self) -> int:
        """How many of its prompts lost shots that did not fit."""
        pairs = zip(self.examples, self.predictions, strict=True)
        return sum(answer.shots_used < len(asked.shots) for asked, answer in pairs)


@dataclass(frozen=True, slots=True)
class Score:
    """One number over all Cases of a Result, with what is needed to check it."""

    name: str
    """As `rouge1`."""
    metric: str
    """The metric that gave it, as `rouge`."""
    value: float
    kind: Kind
    direction: Direction
    judged: int
    """Cases that count in `value`."""
    unjudged: int
    """Cases for which the metric could not say anything; never counted as zero."""
    signature: str
    """The metric's options and version."""
    chance: float | None = None
    """What guessing gives, where that is known."""
    low: float | None = None
    high: float | None = None
    """The 95 % interval over clusters, where it was computed."""
    spread: float | None = None
    """Where each prompt got several answers by chance: how far the score of the first answers, of the second, and so on
    lie apart, as a standard deviation."""


@dataclass(frozen=True, slots=True)
class Result:
    """One model's answers to one Dataset, and what they are worth."""

    label: str
    """"before", "shots=1", "after", "nearest", …"""
    task: str
    identity: Mapping[str, str]
    """Hashes and settings that make this Result what it is: weights, adapter, tokenizer, dataset, shots,
    decoding, precision, code. A key that a file does not carry is missing, not empty."""
    cases: tuple[Case, ...]
    rows: Mapping[str, tuple[Row | None, ...]]
    """For each metric its Row for each Case, in the order of `cases`; None: could not be judged."""
    scores: tuple[Score, ...]
    seconds: float = 0.0

    def score(self, name: str) -> Score:
        """Return the score of that name; KeyError when there is none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def signature(self, name: str) -> str:
        """Return in one line what a score rests on: the metric's options, then what made the Result.

        Hashes are cut to twelve letters, and what the Result does not carry is not named.
        """
        parts = (f"{key}:{_brief(self.identity[key])}" for key in SIGNED if key in self.identity)
        return "|".join((self.score(name).signature, *parts))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two Results on the same Cases: what changed, and how sure that is.

    Differences are `after - before` in the metric's own unit; which sign is good is told by `direction`.
    """

    task: str
    metric: str
    """The score's name, as `rouge1`."""
    kind: Literal["tuning", "prompting", "baseline"]
    """The same prompts with other weights; other prompts; or a baseline that is no language model."""
    before: str
    after: str
    """Labels of the two Results."""
    primary: bool
    direction: Direction
    cases: int
    clusters: int
    unjudged: int
    """Cases left out because one of the two could not be judged."""
    before_value: float
    after_value: float
    difference: float
    low: float
    high: float
    confidence: float
    interval: str
    """The name of the interval's method."""
    p_value: float
    p_corrected: float
    """After correction for the family it was tested in, by `correction`; equal to `p_value` in a family of one."""
    test: str
    """The name of the test."""
    smallest_effect: float
    """The smallest difference that matters, declared beforehand; 0 when none was declared."""
    better: int
    worse: int
    same: int
    """Cases that got better, got worse, and stayed."""
    detectable: float
    """The smallest difference that this many Cases show with 80 % power."""
    cases_needed: int | None
    """How many Cases would show `max(|difference|, smallest_effect)` with 80 % power; None when neither says, and when
    no number of Cases would, because the seeds differ too much."""
    verdict: Verdict
    sentence: str
    not_checked: tuple[str, ...] = ()
    """What had to match and could not be checked, because a Result does not carry it."""
    correction: Correction = ""
    """How `p_corrected` was made; empty in a family of one."""
    before_seeds: int = 1
    after_seeds: int = 1
    """Runs of each side, with a seed each: one speaks of its checkpoint, several of the recipe that made them."""
    before_empty: int = 0
    after_empty: int = 0
    """Compared Cases with an empty answer on each side; empty answers are scored like any other."""
    possible_low: float | None = None
    possible_high: float | None = None
    """The interval once a Case is reckoned with that was not seen, and lost or gained all: what `equivalent` needs."""


def _brief(value: str) -> str:
    """Return a hash by its beginning, and settings without the signs that JSON puts around them."""
    if len(value) >= 16 and set(value) <= set("0123456789abcdef"):
        return value[:12]
    return value.translate(str.maketrans(":", "=", '{}" '))
