"""Notes on likely mistakes in a suite, shown before it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lt_core.spec import TrialSpec

_UNTRAINED = 0.01  # largest acceptable share of the untrained network in averaged weights


def recipe_notes(specs: Sequence[TrialSpec]) -> list[str]:
    """Notes on recipes that are almost certainly mistakes: weights averaged over so many steps that they still contain the
    untrained network.
    """
    notes = []
    for recipe in dict.fromkeys(spec.recipe for spec in specs):
        steps = recipe.epochs * recipe.steps
        if steps and recipe.ema**steps > _UNTRAINED:
            fitting = math.floor(1000 * _UNTRAINED ** (1 / steps)) / 1000
            notes.append(
                f"after {steps:,} steps the averaged weights of recipe {recipe.name} (ema {recipe.ema:g}) still contain "
                f"{100 * recipe.ema**steps:.0f} % of the untrained network: set ema to {fitting:g} or less"
            )
    return notes
