"""What the benchmarks conclude from what they measure."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (
            (1.4, 1.3, 1.5),
            "is float32 here, and right: it trains 1.40 (1.30..1.50, n = 3) times as many images a second as bfloat16",
        ),
        ((0.7, 0.8, 0.6), "is float32 here, and WRONG: it trains only 0.70 (0.60..0.80, n = 3) times as many images a second"),
        ((0.9, 1.2, 1.1), "which these rounds cannot tell from bfloat16: 1.10 (0.90..1.20, n = 3) times"),
    ],
)
def test_the_rule_of_precision_auto_is_called_wrong_only_if_every_round_says_so(monkeypatch, ratios, words):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from common import Spread
    from train_speed import verdict

    assert words in verdict("float32", "bfloat16", Spread(ratios), "precision auto")
