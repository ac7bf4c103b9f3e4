from __future__ import annotations

import dataclasses

import pytest

from lt_core.recipes import RECIPES


@pytest.mark.parametrize(("epochs", "step"), [(1, 1), (3, 1), (39, 1), (40, 2), (200, 10), (1000, 50)])
def test_a_learning_curve_has_about_twenty_points(epochs, step):
    recipe = dataclasses.replace(RECIPES["digits"], epochs=epochs)
    assert recipe.curve_step == step
    assert dataclasses.replace(recipe, eval_every=7).curve_step == 7


def test_recipes_whose_base_is_not_registered_are_told_apart():
    """Rows of a plug-in's recipe are read without the plug-in, too: two learning rates must not share a column."""
    gone = dataclasses.replace(RECIPES["digits"], name="gone@1468cd32")
    labels = {dataclasses.replace(gone, lr=lr, epochs=epochs).label for lr in (0.1, 0.4) for epochs in (1, 2)}
    assert len(labels) == 2 and all(label.startswith("gone@1468cd32[fields=") for label in labels)
    assert gone.changes == {}
