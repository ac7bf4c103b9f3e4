"""Simulated experiments for `told_apart.py`: methods × blocks with known means and spreads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

#: [experiments, blocks, methods], and the index of the best method of each → which methods differ significantly from it.
Test = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Setting:
    """A kind of experiment.

    Attributes:
        spreads: [methods]; they are assigned to methods at random in each experiment.
        share: share of the variance within a method that blocks explain, for methods with ``loading`` 1.
        own_draw: share of a method's own variance that its trials on one subset have in common; blocks are then ``draws``
            subsets × seeds.
    """

    name: str
    spreads: np.ndarray
    blocks: int
    share: float = 0.0
    loading: np.ndarray | float = 1.0
    draws: int = 0
    own_draw: float = 0.0

    def values(self, means: np.ndarray, experiments: int, generator: np.random.Generator) -> np.ndarray:
        """Simulated figures: [experiments, blocks, methods]."""
        methods = len(self.spreads)
        spreads = generator.permuted(np.tile(self.spreads, (experiments, 1)), axis=1)[:, None, :]
        shared = np.sqrt(self.share / (1 - self.share) * np.mean(self.spreads**2))
        block = shared * generator.standard_normal((experiments, self.blocks, 1)) * self.loading
        error = np.sqrt(1 - self.own_draw) * generator.standard_normal((experiments, self.blocks, methods))
        if self.own_draw:
            own = generator.standard_normal((experiments, self.draws, methods))
            error = error + np.sqrt(self.own_draw) * np.repeat(own, self.blocks // self.draws, axis=1)
        return means + block + spreads * error

    def by_draw(self, values: np.ndarray) -> np.ndarray:
        """Means over the seeds of each subset: [experiments, draws, methods]."""
        return values.reshape(len(values), self.draws, -1, values.shape[2]).mean(axis=2)


def errors(setting: Setting, tests: Mapping[str, Test], experiments: int) -> tuple[dict[str, float], dict[str, float]]:
    """Share of experiments in which some method differs significantly from one that is no better: if all methods are equal, and
    if half of them are 5 points worse.
    """
    methods = len(setting.spreads)
    made = []
    for behind in (np.zeros(methods), np.where(np.arange(methods) < (methods + 1) // 2, 0.0, -5.0)):
        values = setting.values(behind, experiments, np.random.default_rng(1))
        best = values.mean(axis=1).argmax(axis=1)
        as_good = behind >= behind[best][:, None]
        made.append({name: float((test(values, best) & as_good).any(axis=1).mean()) for name, test in tests.items()})
    return made[0], made[1]


def against_named(setting: Setting, test: Test, gap: float, experiments: int) -> tuple[float, float]:
    """Comparisons with a baseline that was named beforehand, from which half of the other methods differ by ``gap``: share of
    experiments in which one of the rest differs significantly from it, and share of that half that does.
    """
    methods = len(setting.spreads)
    away = (np.arange(methods) > 0) & (np.arange(methods) <= methods // 2)
    values = setting.values(np.where(away, gap, 0.0), experiments, np.random.default_rng(3))
    told = test(values, np.zeros(experiments, int))
    return float((told & ~away).any(axis=1).mean()), float(told[:, away].mean())


def found(setting: Setting, tests: Mapping[str, Test], gap: float, experiments: int) -> dict[str, float]:
    """Share of the methods that differ significantly from the one that is ``gap`` better, if that one came out best."""
    methods = len(setting.spreads)
    values = setting.values(np.where(np.arange(methods) == 0, gap, 0.0), experiments, np.random.default_rng(2))
    best = values.mean(axis=1).argmax(axis=1)
    right = (best == 0)[:, None]
    return {name: float((test(values, best) & right).sum() / (experiments * (methods - 1))) for name, test in tests.items()}
