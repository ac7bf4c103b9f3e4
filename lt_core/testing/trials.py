"""Trials of a second or less, and synthetic images, on which methods are checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lt_core.data.loader import Images, Split
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.methods import resolve
from lt_core.parts import build_parts
from lt_core.recipes import RECIPES
from lt_core.result import OK, TrialResult
from lt_core.spec import DataSpec, TrialSpec
from lt_core.stages import stages_of
from lt_core.testing.check import blamed, expect
from lt_core.training import run_trial
from lt_core.training.loop import Training
from lt_core.training.running import stage_context

CPU = torch.device("cpu")
_SUBSET = {"imbalance_factor": 10, "n_max": 60}
#: The subset of digits that checks are made on, with a validation split.
VALIDATED = {**_SUBSET, "validation": 2}
_MEASURED = (
    "status", "cause", "train_counts", "confusion", "calibration", "class_calibration", "validation_confusion", "curve",
    "class_counts", "validation_class_counts",
)  # fmt: skip


def tiny_spec(
    method: str = "softmax", at: dict[str, Any] | None = None, data: dict[str, Any] | None = None, seed: int = 0, **recipe: Any
) -> TrialSpec:
    """A trial of a few epochs on 240 digits (imbalance factor 10).

    Args:
        at: hyperparameters of the method.
        data: fields of the `DataSpec`, in place of the subset.
        recipe: fields of the recipe.
    """
    drawn = {"dataset": "digits", **(data or _SUBSET)}
    changed = dataclasses.replace(RECIPES["digits"], **{"epochs": 3, "warmup_epochs": 1, **recipe})
    return TrialSpec(build(DataSpec, drawn), resolve(method, at), changed, seed)


def fitting_spec(
    method: str,
    at: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    seed: int = 0,
    semi: bool | None = None,
    **recipe: Any,
) -> TrialSpec:
    """Like `tiny_spec`, with unlabelled images and averaged weights for a method that needs them.

    A method with generations gets two, because a third would repeat the second; one that makes images gets small networks.

    Args:
        semi: whether there are unlabelled images; None: only if the method needs them.
    """
    drawn = data or _SUBSET
    if needs_unlabelled(method) if semi is None else semi:
        drawn, recipe = {"label_fraction": 0.5, **drawn}, {"ema": 0.9, **recipe}
    has = resolve(method).params
    if "generations" in has:
        at = {"generations": 2, **(at or {})}
    if "gan_width" in has:
        at = {"gan_width": 4, "gan_blocks": 1, "gan_batch": 32, **(at or {})}
    return tiny_spec(method, at, drawn, seed, **recipe)


def needs_unlabelled(method: str) -> bool:
    """Whether the method refuses data without unlabelled images, but accepts data with them."""
    with_them = tiny_spec(method, data={**VALIDATED, "label_fraction": 0.5}, ema=0.9)
    return not _accepted(tiny_spec(method, data=VALIDATED)) and _accepted(with_them)


def _accepted(spec: TrialSpec) -> bool:
    try:
        for made in build_parts(spec.method.params).values():
            made.check(spec)
    except UserError:
        return False
    return True


def split_of(counts: Sequence[int], noise: int = 40) -> Split:
    """Images of 8×8 grey pixels with these class sizes, where each class has a random pattern of its own, with noise. All splits
    consist of the training images.
    """
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor(counts)
    labels = torch.arange(len(counts)).repeat_interleave(sizes)
    patterns = torch.randint(0, 256 - noise, (len(counts), 8, 8, 1), generator=generator)
    pixels = patterns[labels] + torch.randint(0, noise, (len(labels), 8, 8, 1), generator=generator)
    images = Images(pixels.to(torch.uint8), labels)
    return Split(images, images, images, sizes.double(), (8, 8, 1), images.nameless(), images)


def trained(spec: TrialSpec, split: Split) -> tuple[Training, list[float]]:
    """The last training of a trial on ``split``, and the losses of all epochs of all its trainings."""
    losses: list[float] = []
    for stage in stages_of(spec).trainings(stage_context(spec, split, CPU)):
        losses += [stage.training.run_epoch() for _ in range(stage.training.epochs)]
    return cast(Training, stage.training), losses


def first_training(spec: TrialSpec, split: Split) -> Training:
    """The first training of a trial, before its first epoch."""
    return cast(Training, next(iter(stages_of(spec).trainings(stage_context(spec, split, CPU)))).training)


def weights_of(net: nn.Module) -> Tensor:
    """All weights of a network, in one vector."""
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def finished(spec: TrialSpec) -> TrialResult:
    """The result of a trial that must end with status ok."""
    result = run_trial(spec)
    place = blamed(result.traceback)
    expect(result.status == OK, f"{spec.method.label}, seed {spec.seed}: {result.status}: {result.cause}{place}")
    return result


def figures_of(result: TrialResult) -> dict[str, Any]:
    """All that was measured in a trial, without what depends on the clock and the machine."""
    record = result.to_record()
    return {key: record[key] for key in _MEASURED if key in record}


_known: dict[str, dict[str, Any]] = {}  # by trial


def measured(method: str, at: dict[str, Any] | None = None, beside: str | None = None) -> dict[str, Any]:
    """Figures of a method on digits, each trial run once in a process.

    Args:
        beside: the method with which it is compared, and on whose data it is trained.
    """
    semi = needs_unlabelled(beside or method)
    spec = fitting_spec(method, at, VALIDATED, semi=semi, eval_every=1)
    if spec.trial_id not in _known:
        _known[spec.trial_id] = figures_of(finished(spec))
    return _known[spec.trial_id]


def extreme_logits() -> tuple[Tensor, Tensor]:
    """Every pattern of ±10⁴ and 0 over three classes, each with every label: [81, 3] and [81]."""
    values = torch.tensor([-1e4, 0.0, 1e4])
    return torch.cartesian_prod(values, values, values).repeat(3, 1), torch.arange(3).repeat_interleave(27)
