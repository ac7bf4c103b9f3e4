"""Training recipes. Importing this package registers all of them."""

from lt_core.recipes import small
from lt_core.recipes.recipe import RECIPES, Recipe, recipe

__all__ = ["RECIPES", "Recipe", "recipe", "small"]
