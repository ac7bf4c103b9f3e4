from __future__ import annotations

import dataclasses

import pytest

from lt_core.recipes import RECIPES


@pytest.mark.parametrize(("epochs", "step"), [(1, 1), (3, 1), (39, 1), (40, 2), (200, 10), (1000, 50)])
def test_a_learning_curve_has_about_twenty_points(epochs, step):
    recipe = dataclasses.replace(RECIPES["digits"], epochs=epochs)
    assert recipe.curve_step == step
    assert dataclasses.replace(recipe, eval_every=7).curve_step == 7
