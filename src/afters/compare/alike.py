"""Do two Results answer the same question? If not, they are refused; what cannot be seen is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from afters.errors import ComparisonRefused
from afters.metrics.metric import Metric, must_match
from afters.records import Case, Result

Kind = Literal["tuning", "prompting", "baseline"]
"""What may differ: the weights; the weights and the shots; everything but the Dataset."""

_MUST_MATCH: Final[Mapping[Kind, tuple[str, ...]]] = {
    "tuning": ("dataset", "shots", "decoding"),
    "prompting": ("dataset", "decoding"),
    "baseline": ("dataset",),
}
_WHY: Final = {
    "dataset": "Judge both on the same rows, rendered from the same templates.",
    "shots": "Give both the same shots, or compare them as prompting.",
    "decoding": "Let both write their answers in the same way.",
    "tokenizer": "A score per token says nothing across tokenizers; compare `bits_per_byte`.",
}


def check(before: Result, after: Result, metric: Metric, *, kind: Kind) -> tuple[str, ...]:
    """Refuse two Results that must not be compared, and return what could not be checked.

    Raises:
        ComparisonRefused: another task, other Cases, another Dataset, shots, decoding, prompts or metric.
    """
    where = f"{before.label} against {after.label}"
    if before.task != after.task:
        raise ComparisonRefused("two tasks", where=where, expected=before.task, received=after.task)
    _check_cases(before, after, where=where)
    _check_metric(before, after, metric, where=where)
    keys = (*_MUST_MATCH[kind], *must_match(metric))
    unknown = [key for key in keys if not _same_setting(before, after, key, where=where)]
    if kind == "tuning" and not _same_prompts(before, after, where=where):
        unknown.append("prompts")
    return tuple(unknown)


def _check_cases(before: Result, after: Result, *, where: str) -> None:
    first, last = ({case.id for case in result.cases} for result in (before, after))
    for result, ids in ((before, first), (after, last)):
        if len(ids) < len(result.cases):
            raise ComparisonRefused(
                f"{len(result.cases) - len(ids)} Cases of {result.label} share their id with another",
                where=where,
                expected="ids that stand once",
            )
    if first != last:
        odd = sorted(first ^ last)
        raise ComparisonRefused(
            "not the same Cases",
            where=where,
            received=f"{len(first - last)} only before, {len(last - first)} only after, as {', '.join(odd[:3])}",
            hint="Judge both on the same Dataset and the same number of rows.",
        )


def _check_metric(before: Result, after: Result, metric: Metric, *, where: str) -> None:
    for result in (before, after):
        if metric.name not in result.rows:
            raise ComparisonRefused(
                f"{result.label} was not judged by {metric.name}",
                where=where,
                expected=f"one of its metrics: {', '.join(sorted(result.rows)) or 'none'}",
                received=metric.name,
            )
        for score in result.scores:
            if score.metric == metric.name and score.signature != metric.signature:
                raise ComparisonRefused(
                    f"{result.label} was judged by another {metric.name}",
                    where=where,
                    expected=metric.signature,
                    received=score.signature,
                    hint="Judge it again: its answers are kept, and need not be asked for.",
                )


def _same_setting(before: Result, after: Result, key: str, *, where: str) -> bool:
    """Return whether both carry the setting, and refuse where they carry different ones."""
    if key not in before.identity or key not in after.identity:
        return False
    if before.identity[key] != after.identity[key]:
        raise ComparisonRefused(
            f"the {key} differs",
            where=where,
            expected=f"{before.identity[key]} ({before.label})",
            received=f"{after.identity[key]} ({after.label})",
            hint=_WHY[key],
        )
    return True


def _same_prompts(before: Result, after: Result, *, where: str) -> bool:
    """Return whether every prompt's hash is known on both sides, and refuse where one differs.

    A hash is of token ids, and across tokenizers says nothing; that the texts are the same, dataset and shots tell.
    """
    tokenizers = {result.identity.get("tokenizer") for result in (before, after)}
    if len(tokenizers - {None}) > 1:
        return False
    second = {case.id: _prompts(case) for case in after.cases}
    pairs = [(case.id, _prompts(case), second[case.id]) for case in before.cases]
    different = [name for name, one, other in pairs if one != other and all(one) and all(other)]
    if different:
        raise ComparisonRefused(
            f"{len(different)} of {len(pairs)} prompts differ",
            where=where,
            expected="the same prompts before and after",
            received=f"another prompt for {', '.join(different[:3])}",
            hint="Ask both with the same templates, shots, chat template and limit of tokens.",
        )
    return all(all(one) and all(other) for _, one, other in pairs)


def _prompts(case: Case) -> tuple[str, ...]:
    return tuple(prediction.prompt_hash for prediction in case.predictions)
