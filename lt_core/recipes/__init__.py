"""Training recipes. Importing this package registers all of them."""

from lt_core.recipes import photographs, small
from lt_core.recipes.recipe import RECIPES, Recipe, recipe

__all__ = ["RECIPES", "Recipe", "photographs", "recipe", "small"]
