from __future__ import annotations

from afters.records import Result, Score


def test_a_signature_names_the_options_and_what_made_the_result() -> None:
    score = Score("rouge1", "rouge", 0.5, "case", "higher", 3, 0, "refs:mean|stem:yes")
    identity = {
        "weights": "0123456789abcdef0123456789abcdef",
        "decoding": '{"max_new_tokens": 64, "method": "greedy"}',
        "shots": "2:0123456789abcdef",
        "device": "cpu",
    }
    signature = Result("after", "t", identity, (), {}, (score,)).signature("rouge1")
    assert signature == (
        "refs:mean|stem:yes|shots:2=0123456789abcdef|decoding:max_new_tokens=64,method=greedy|weights:0123456789ab"
    )
