"""Training recipes: everything about optimisation that is not the method.

Milestones are fractions of training, so they move with the number of epochs. A warm-up is a number of epochs, as in the public
code of every paper here: it takes the network past its first steps, whose number does not depend on the length of training.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from lt_core.errors import UserError
from lt_core.fields import check, param
from lt_core.labels import format_label
from lt_core.registry import Registry, here


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. All fields enter the trial's ID.

    >>> import dataclasses
    >>> short = dataclasses.replace(RECIPES["cifar_ldam"], epochs=40, lr=0.05)
    >>> short.label
    'cifar_ldam[lr=0.05]'
    >>> [milestone * short.epochs for milestone in short.milestones]
    [32.0, 36.0]
    """

    name: str = param(help="name under which the recipe is registered")
    model: str = param(help="model label, e.g. resnet32 or resnet32[shortcut=avgpool]")
    epochs: int = param(200, "passes over the training subset", low=1, high=1_000_000)
    batch_size: int = param(128, "images per step; a smaller last batch is kept", low=1)
    micro_batch: int = param(
        0,
        "images of a batch that are computed at once, with gradients summed over the parts; batch norm sees one part at a "
        "time; 0: all",
        low=0,
        optional_in_id=True,
    )
    batch_norm: str = param(
        "share",
        "what batch norm normalises over if several processes train a trial together: each process's share of a batch, or the "
        "whole batch, for which GPUs exchange its sums",
        choices=("share", "batch"),
        optional_in_id=True,
    )
    optimizer: str = param("sgd", "optimiser", choices=("sgd", "adam"))
    lr: float = param(0.1, "base learning rate", above=0)
    momentum: float = param(0.9, "momentum of SGD", low=0, below=1)
    nesterov: bool = param(False, "Nesterov momentum")
    weight_decay: float = param(2e-4, "L2 penalty on every parameter, batch norm included", low=0)
    warmup: float = param(0.0, "fraction of training with linear warm-up, which scales with epochs", low=0, high=1)
    warmup_epochs: int = param(0, "epochs of linear warm-up, independent of the length of training", low=0, optional_in_id=True)
    warmup_by: str = param(
        "epoch", "whether warm-up raises the rate once per epoch (from lr/k) or at every step (from 0)", choices=("epoch", "step")
    )
    decay: str = param(
        "steps",
        "decay of the learning rate: at milestones, along half a cosine by step or by epoch, or along the first 7/16 "
        "(FixMatch) or 1/16 (CReST) of a cosine",
        choices=("steps", "cosine", "cosine_by_epoch", "cosine_7_16", "cosine_1_16"),
        optional_in_id=True,
    )
    steps: int = param(0, "steps per epoch, with as many passes over the data as needed; 0: one pass", low=0, optional_in_id=True)
    ema: float = param(
        0.0,
        "decay of the moving average of the weights, which is then evaluated; 0: no average",
        low=0,
        below=1,
        optional_in_id=True,
    )
    ema_norms: str = param(
        "copied",
        "batch norm statistics of the averaged network: copied from the network, or averaged like weights",
        choices=("copied", "averaged"),
        optional_in_id=True,
    )
    shrink: float = param(
        0.0,
        "fraction by which every weight and batch norm statistic shrinks per step (decoupled weight decay)",
        low=0,
        below=1,
        optional_in_id=True,
    )
    decay_norms: bool = param(True, "apply weight decay to batch norm and biases too", optional_in_id=True)
    milestones: tuple[float, ...] = param((), "fractions of training at which the rate drops", low=0, high=1)
    drops: tuple[float, ...] = param((), "multiple of the base rate from each milestone on", low=0)
    pad: int = param(0, "random crop after padding by this many pixels on each side", low=0)
    pad_with: str = param("black", "content of the padding", choices=("black", "reflection"), optional_in_id=True)
    flip: bool = param(False, "random horizontal flip")
    crop: int = param(
        0,
        "side of the network's square input in pixels: in training, a random part of the stored picture, rescaled; 0: the "
        "whole picture",
        low=0,
        optional_in_id=True,
    )
    crop_area: tuple[float, ...] = param(
        (0.08, 1.0), "smallest and largest area of a random crop, as a share of the picture", above=0, high=1, optional_in_id=True
    )
    crop_ratio: tuple[float, ...] = param(
        (3 / 4, 4 / 3), "smallest and largest ratio of width to height of a random crop", above=0, optional_in_id=True
    )
    eval_resize: int = param(
        0,
        "length to which a picture's shorter side is scaled for evaluation, before the centre crop; 0: 8/7 of crop, 256 for 224",
        low=0,
        optional_in_id=True,
    )
    jitter: tuple[float, ...] = param(
        (0.0, 0.0, 0.0), "largest relative change of brightness, contrast and saturation", low=0, optional_in_id=True
    )
    policy: str = param(
        "none",
        "augmentation policy for training pictures, applied after crop, flip and jitter",
        choices=("none", "randaugment", "trivialaugment"),
        optional_in_id=True,
    )
    policy_operations: int = param(2, "RandAugment operations per picture", low=1, optional_in_id=True)
    policy_magnitude: int = param(9, "magnitude of the RandAugment operations", low=0, high=30, optional_in_id=True)
    normalize: str = param(
        "subset",
        "pixel normalisation: by the mean and standard deviation of the subset, of CIFAR, of ImageNet (which most pretrained "
        "networks expect) or of iNaturalist; x/128 − 1; 2x/255 − 1; x/255; or none",
        choices=("subset", "cifar", "cifar_pixels", "imagenet", "inat", "signed", "symmetric", "unit", "none"),
    )
    head_init: str = param(
        "he",
        "initialisation of linear classifiers: Kaiming normal, Xavier normal or a standard deviation of 0.01, each with zero "
        "biases; or PyTorch's default",
        choices=("he", "glorot", "small", "pytorch"),
        optional_in_id=True,
    )
    label_smoothing: float = param(
        0.0,
        "label smoothing ε: the share of each label that is spread over all classes; 0: none",
        low=0,
        below=1,
        optional_in_id=True,
    )
    feature_length: float = param(
        0.0,
        "length to which the features of every image are scaled before the classifier, a factor on the logits; 0: no scaling",
        low=0,
        optional_in_id=True,
    )
    precision: str = param(
        "auto",
        "bfloat16 autocast, float32, or auto: bfloat16 where a fixed rule says that it is faster",
        choices=("auto", "bfloat16", "float32"),
    )
    eval_every: int = param(0, "epochs between points of the learning curve; 0: about 20 points per trial", low=0)

    def __post_init__(self) -> None:
        check(self, f"recipe {self.name}")
        if len(self.milestones) != len(self.drops):
            raise UserError(
                f"recipe {self.name}: {len(self.milestones)} milestones but {len(self.drops)} drops: give one drop per milestone"
            )
        if self.warmup and self.warmup_epochs:
            raise UserError(
                f"recipe {self.name}: warmup={self.warmup:g} and warmup_epochs={self.warmup_epochs} both set the warm-up: set "
                "one of them to 0"
            )
        if self.micro_batch >= self.batch_size:
            raise UserError(
                f"recipe {self.name}: micro_batch={self.micro_batch} must be less than batch_size={self.batch_size}: lower "
                "it, or set it to 0"
            )
        self._check_crop()

    def _check_crop(self) -> None:
        def refuse(why: str) -> UserError:
            return UserError(f"recipe {self.name}: {why}")

        for key, count in (("crop_area", 2), ("crop_ratio", 2), ("jitter", 3)):
            values = getattr(self, key)
            if len(values) != count:
                raise refuse(f"{key} takes {count} numbers, got {len(values)}")
            if count == 2 and values[0] > values[1]:
                raise refuse(f"{key} must go from the smallest to the largest, got {values[0]:g} and {values[1]:g}")
        plain = {f.name: f.default for f in fields(self)}
        for key in ("crop_area", "crop_ratio", "eval_resize"):
            if not self.crop and getattr(self, key) != plain[key]:
                raise refuse(f"{key} needs crop, the side in pixels of the network's input: set it too, for example crop 224")
        for key in ("policy_operations", "policy_magnitude"):
            if self.policy != "randaugment" and getattr(self, key) != plain[key]:
                raise refuse(f"{key} applies to policy randaugment only, but policy is {self.policy}: change one of them")
        if self.crop and self.pad:
            raise refuse(
                f"pad={self.pad} and crop={self.crop} both determine which part of a picture is shown: set one of them to 0"
            )
        if self.crop and self.evaluated_at < self.crop:
            raise refuse(f"eval_resize={self.eval_resize} is smaller than crop={self.crop}: make it at least as large")

    @property
    def evaluated_at(self) -> int:
        """Shorter side of the pictures whose centre is shown in evaluation; 0: they are shown as stored."""
        return self.eval_resize or round(8 / 7 * self.crop)

    def network_shape(self, stored: tuple[int, int, int]) -> tuple[int, int, int]:
        """Height, width and channels of the network's input for pictures of shape ``stored``.

        >>> import dataclasses
        >>> from lt_core.recipes import RECIPES
        >>> dataclasses.replace(RECIPES["cifar_ldam"], model="resnet50", pad=0, crop=224).network_shape((256, 256, 3))
        (224, 224, 3)
        """
        return (self.crop, self.crop, stored[2]) if self.crop else stored

    @property
    def changes(self) -> dict[str, Any]:
        """Fields that differ from the registered recipe of the same name; none if there is no such recipe."""
        if self.name not in RECIPES:
            return {}
        base = RECIPES[self.name]
        return {k: v for k, v in vars(self).items() if v != getattr(base, k)}

    @property
    def label(self) -> str:
        """``digits``, or ``digits[lr=0.1]`` for a changed recipe. It omits model and epochs, which are always stated separately,
        and fields that do not affect figures.
        """
        known = self.name in RECIPES
        return _labelled(self, RECIPES[self.name] if known else None)

    @property
    def curve_step(self) -> int:
        """Epochs between two evaluations; the last epoch is always evaluated."""
        return self.eval_every or max(1, self.epochs // 20)


@lru_cache(maxsize=4096)
def _labelled(made: Recipe, base: Recipe | None) -> str:
    """The label of ``made``, given the registered recipe of its name; cached, since thousands of trials share a few recipes.

    If there is none, such as without the plug-in file that registers it, nobody can say what was changed. A digest of all fields
    then keeps recipes apart.
    """
    fields = made.changes if base else vars(made)
    shown = {k: v for k, v in fields.items() if k not in ("name", "model", "epochs", "eval_every")}
    if not base:
        shown = {"fields": hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()[:8]}
    return format_label(made.name, {k: "/".join(map(str, v)) if isinstance(v, tuple) else v for k, v in shown.items()})


RECIPES: Registry[Recipe] = Registry("recipe")


def recipe(name: str, **fields: Any) -> Recipe:
    """Register a recipe; one from a plug-in file gets its name with the version at once."""
    return RECIPES.add(name, Recipe(name=here(name), **fields))
