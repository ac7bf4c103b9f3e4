"""Checks that a trial is possible, before anything starts."""

from __future__ import annotations

from typing import cast

from lt_core.errors import UserError
from lt_core.frozen.label import Frozen
from lt_core.parts import build_parts
from lt_core.recipes import Recipe
from lt_core.spec import TrialSpec
from lt_core.stages.base import stage_one
from lt_core.steps.base import Step


def check_trial(spec: TrialSpec) -> None:
    """Reject a trial whose parts, or those of its stage one, lack what they need.

    Raises:
        UserError: what is missing, and how to get it.
    """
    frozen = Frozen.of(spec.recipe.model)
    if frozen:
        _check_recipe(spec.recipe)
    for one in filter(None, (spec, stage_one(spec))):
        for group, made in build_parts(one.method.params).items():
            made.check(one)
            if one.recipe.micro_batch and made.whole_batch:
                raise UserError(
                    f"{one.method.name} {made.whole_batch} ({group} {made.name}), but recipe {one.recipe.name} computes "
                    f"batches in parts of {one.recipe.micro_batch}: set micro_batch to 0, and batch_size to a value that fits "
                    "into memory"
                )
            if frozen and made.beyond_features:
                raise UserError(
                    f"{spec.method.name} {made.beyond_features} ({group} {made.name}), but the features of a frozen backbone "
                    "are fixed: leave out the method, or choose a model that is trained on pictures"
                )


def check_divisible(spec: TrialSpec, device: str) -> None:
    """Reject a trial that several processes cannot train together.

    Args:
        device: kind of device on which they compute; ``auto`` if it is not known yet.

    Raises:
        UserError: its step uses the network in a way that cannot be divided among them, or its batch norm needs GPUs.
    """
    if spec.recipe.batch_norm == "batch" and device == "cpu":
        raise UserError(
            f"recipe {spec.recipe.name}: batch_norm=batch works on GPUs only: use batch_norm=share, or one process for each trial"
        )
    for one in filter(None, (spec, stage_one(spec))):
        step = build_parts(one.method.params)["step"]
        if not cast(Step, step).divisible:
            raise UserError(
                f"{spec.method.name} cannot be trained by several processes together, because its step, {step.name}, accesses "
                "the inside of the network: give each trial one GPU, or one process"
            )


def _check_recipe(recipe: Recipe) -> None:
    if recipe.pad or recipe.flip:
        raise UserError(
            f"recipe {recipe.name} crops or flips pictures, but a frozen backbone gives features instead: set pad to 0 and "
            "flip to false (with views=8, for example, the model also has features of crops and mirror images)"
        )
    if recipe.crop or any(recipe.jitter) or recipe.policy != "none":
        raise UserError(
            f"recipe {recipe.name} changes pictures (crop, jitter or policy), but a frozen backbone gives features instead: "
            "leave these at 0 and none (with views=8, for example, the model also has features of crops and mirror images)"
        )
    if recipe.normalize not in ("subset", "none"):
        raise UserError(
            f"recipe {recipe.name}: normalize {recipe.normalize} applies to pixels, not to features: use subset or none"
        )
