"""What must hold for every recipe."""

from __future__ import annotations

from lt_core.errors import UserError
from lt_core.models import check_model, seen_shape
from lt_core.models.heads import LinearHead
from lt_core.recipes import Recipe
from lt_core.testing.check import check, expect
from lt_core.testing.models import SHAPES


@check("recipe")
def its_model_can_be_built(recipe: Recipe) -> None:
    """Its model exists, with the options that it names, for images of at least one size."""
    refusals = []
    for shape in SHAPES:
        try:
            check_model(recipe.model, seen_shape(recipe.model, recipe.network_shape(shape)), 10, LinearHead())
        except UserError as error:
            refusals.append(str(error))
    expect(len(refusals) < len(SHAPES), "; ".join(dict.fromkeys(refusals)))
