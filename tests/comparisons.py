"""A Comparison to start from: an improvement beyond doubt, before a verdict is passed on it."""

from __future__ import annotations

from afters.records import Comparison

GOOD = Comparison(
    task="chats",
    metric="rouge1",
    kind="tuning",
    before="before",
    after="after",
    primary=True,
    direction="higher",
    cases=200,
    clusters=200,
    unjudged=0,
    before_value=0.312,
    after_value=0.547,
    difference=0.235,
    low=0.21,
    high=0.26,
    confidence=0.95,
    interval="percentile bootstrap over clusters",
    p_value=0.0001,
    p_corrected=0.0001,
    test="sign-flip permutation",
    smallest_effect=0.0,
    better=150,
    worse=30,
    same=20,
    detectable=0.035,
    cases_needed=12,
    verdict="cannot_tell",
    sentence="",
)
