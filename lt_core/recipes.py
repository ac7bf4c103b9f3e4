"""Training recipes: everything about optimisation that is not the method.

Milestones are fractions of training, so that another number of epochs moves them. A warm-up is a number of epochs, as in the
public code of every paper here: it gets the network past its first steps, whose number does not depend on what comes after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lt_core.errors import UserError
from lt_core.fields import check, param
from lt_core.labels import format_label
from lt_core.registry import Registry, here


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. All fields enter the trial's id.

    >>> import dataclasses
    >>> short = dataclasses.replace(RECIPES["cifar_ldam"], epochs=40, lr=0.05)
    >>> short.label
    'cifar_ldam[lr=0.05]'
    >>> [milestone * short.epochs for milestone in short.milestones]
    [32.0, 36.0]
    """

    name: str = param(help="name under which the recipe is registered")
    model: str = param(help="model label, e.g. resnet32 or resnet32[shortcut=avgpool]")
    epochs: int = param(200, "passes over the training subset", low=1)
    batch_size: int = param(128, "images a step; a last smaller batch is kept", low=1)
    optimizer: str = param("sgd", "optimiser", choices=("sgd", "adam"))
    lr: float = param(0.1, "base learning rate", above=0)
    momentum: float = param(0.9, "momentum of SGD", low=0, below=1)
    nesterov: bool = param(False, "Nesterov momentum")
    weight_decay: float = param(2e-4, "L2 penalty on every parameter, batch norm included", low=0)
    warmup: float = param(0.0, "fraction of training with linear warm-up; scales with epochs", low=0, high=1)
    warmup_epochs: int = param(0, "epochs of linear warm-up, whatever the length of training", low=0, optional_in_id=True)
    warmup_by: str = param("epoch", "warm-up moves once an epoch (from lr/k) or every step (from 0)", choices=("epoch", "step"))
    decay: str = param(
        "steps",
        "fall of the rate: at milestones, along half a cosine, or along the first 7/16 (FixMatch) or 1/16 (CReST) of one",
        choices=("steps", "cosine", "cosine_7_16", "cosine_1_16"),
        optional_in_id=True,
    )
    steps: int = param(
        0, "steps an epoch, of as many passes as it takes; 0: one pass over what is drawn", low=0, optional_in_id=True
    )
    ema: float = param(
        0.0, "decay of the averaged weights, which are then evaluated; 0: none", low=0, below=1, optional_in_id=True
    )
    ema_norms: str = param(
        "copied",
        "batch norm's statistics in the averaged network: the network's, or averaged as weights are",
        choices=("copied", "averaged"),
        optional_in_id=True,
    )
    shrink: float = param(
        0.0,
        "share that every weight and every statistic of batch norm loses a step (decoupled weight decay)",
        low=0,
        below=1,
        optional_in_id=True,
    )
    decay_norms: bool = param(True, "weight decay on batch norm and biases too", optional_in_id=True)
    milestones: tuple[float, ...] = param((), "fractions of training at which the rate drops", low=0, high=1)
    drops: tuple[float, ...] = param((), "multiples of the base rate from each milestone on", low=0)
    pad: int = param(0, "random crop after padding by this many pixels a side", low=0)
    pad_with: str = param("black", "what the padding shows", choices=("black", "reflection"), optional_in_id=True)
    flip: bool = param(False, "random horizontal flip")
    normalize: str = param(
        "subset",
        "pixel normalisation: by the mean and deviation of the subset, of CIFAR or of ImageNet (what most pretrained networks "
        "expect), x/128 − 1, 2x/255 − 1, x/255, or none",
        choices=("subset", "cifar", "cifar_pixels", "imagenet", "signed", "symmetric", "unit", "none"),
    )
    head_init: str = param(
        "he",
        "initialisation of linear classifiers: Kaiming or Xavier normal with biases of 0, or PyTorch's default",
        choices=("he", "glorot", "pytorch"),
        optional_in_id=True,
    )
    label_smoothing: float = param(
        0.0,
        "share ε of every label that is spread over all classes: the loss is its mean under that mixture; 0: none",
        low=0,
        below=1,
        optional_in_id=True,
    )
    feature_length: float = param(
        0.0,
        "length that the features of every image are brought to before the classifier, a factor on the logits; 0: as they are",
        low=0,
        optional_in_id=True,
    )
    precision: str = param(
        "auto",
        "bfloat16 autocast, float32, or bfloat16 where it is the faster one by rule",
        choices=("auto", "bfloat16", "float32"),
    )
    eval_every: int = param(0, "epochs between points of the learning curve; 0: about 20 points a trial", low=0)

    def __post_init__(self) -> None:
        check(self, f"recipe {self.name}")
        if len(self.milestones) != len(self.drops):
            raise UserError(
                f"recipe {self.name}: {len(self.milestones)} milestones but {len(self.drops)} drops: give one drop a milestone"
            )
        if self.warmup and self.warmup_epochs:
            raise UserError(
                f"recipe {self.name}: warmup={self.warmup:g} and warmup_epochs={self.warmup_epochs} both give the warm-up: "
                "set one of them to 0"
            )

    @property
    def changes(self) -> dict[str, Any]:
        """Fields that differ from the registered recipe of its name; none where there is no such recipe."""
        if self.name not in RECIPES:
            return {}
        base = RECIPES[self.name]
        return {k: v for k, v in vars(self).items() if v != getattr(base, k)}

    @property
    def label(self) -> str:
        """``digits``, or ``digits[lr=0.1]`` for one that was changed. Model and epochs, which everybody states, and what
        changes no figure are not in it.
        """
        shown = {k: v for k, v in self.changes.items() if k not in ("model", "epochs", "eval_every")}
        return format_label(self.name, {k: "/".join(map(str, v)) if isinstance(v, tuple) else v for k, v in shown.items()})

    @property
    def curve_step(self) -> int:
        """Epochs between two evaluations; the last epoch is always evaluated."""
        return self.eval_every or max(1, self.epochs // 20)


RECIPES: Registry[Recipe] = Registry("recipe")


def recipe(name: str, **fields: Any) -> Recipe:
    """Register a recipe; of a plug-in file it has the whole name from the first, so that nobody has to look it up."""
    return RECIPES.add(name, Recipe(name=here(name), **fields))


# 8×8 digits: a second or two a trial. Shifts by one pixel; no flip, since digits have a handedness. Five epochs of warm-up, as in
# public code, chosen on validation splits against two: balanced accuracy +0.92 ± 0.26 points (mean and standard error, 120 pairs
# of softmax, ce_drw, ldam_drw, mm_drw, logit_adjusted and cb_focal at factors 10 and 50, on five draws that no suite uses).
recipe(
    name="digits", model="small_cnn", epochs=40, batch_size=64, optimizer="sgd", lr=0.05, nesterov=True, weight_decay=5e-4,
    warmup_epochs=5, warmup_by="step", milestones=(0.6, 0.85), drops=(0.1, 0.01), pad=1, normalize="subset", precision="float32",
)  # fmt: skip

# The 90/10 MNIST example of our slides: MLP 784-256-10, two epochs of Adam, both layers as PyTorch makes them.
recipe(
    name="mnist_mlp", model="mlp", epochs=2, batch_size=64, optimizer="adam", lr=1e-3, weight_decay=0.0, head_init="pytorch",
    normalize="unit", precision="float32",
)  # fmt: skip

# Cao et al. 2019 (LDAM-DRW), public code: rate ×0.01 from epoch 160, ×0.0001 (of the base) from 180.
recipe(
    name="cifar_ldam", model="resnet32", epochs=200, batch_size=128, lr=0.1, weight_decay=2e-4, warmup_epochs=5,
    milestones=(0.8, 0.9), drops=(1e-2, 1e-4), pad=4, flip=True, normalize="cifar",
)  # fmt: skip

# Cui et al. 2019 (class-balanced loss), public code: shortcut by average pooling, warm-up by step from zero, x/128 − 1.
recipe(
    name="cifar_cb", model="resnet32[shortcut=avgpool]", epochs=200, batch_size=128, lr=0.1, weight_decay=2e-4, warmup_epochs=5,
    warmup_by="step", milestones=(0.8, 0.9), drops=(1e-2, 1e-4), pad=4, flip=True, normalize="signed",
)  # fmt: skip

# Wei et al. 2021 (CReST), public code: FixMatch on WRN-28-2; the averaged model is evaluated. A generation is one such training.
# Keras has momentum 0.999 and ε 0.001 in batch norm, which is 0.001 and 0.001 in PyTorch's terms.
recipe(
    name="cifar_crest", model="wrn28_2[norm_momentum=0.001,norm_eps=0.001]", head_init="glorot", epochs=64, steps=1024,
    batch_size=64, lr=0.03, nesterov=True, weight_decay=5e-4, decay_norms=False, decay="cosine_1_16", ema=0.999, pad=4,
    pad_with="reflection", flip=True, normalize="symmetric",
)  # fmt: skip

# Sohn et al. 2020 (FixMatch), public code: as CReST's, with the raw input in the shortcuts of its later groups, 7/16 of a cosine
# and 2^20 steps.
recipe(
    name="cifar_fixmatch", model="wrn28_2[shortcut=raw,norm_momentum=0.001,norm_eps=0.001]", head_init="glorot", epochs=1024,
    steps=1024, batch_size=64, lr=0.03, nesterov=True, weight_decay=5e-4, decay_norms=False, decay="cosine_7_16", ema=0.999,
    pad=4, pad_with="reflection", flip=True, normalize="symmetric",
)  # fmt: skip

# He et al. 2021 (Bi-Sampling), public code: every weight and statistic shrinks by 0.02 · lr a step.
recipe(
    name="cifar_bisampling", model="wrn28_2[shortcut=raw]", head_init="glorot", epochs=500, steps=500, batch_size=64,
    optimizer="adam", lr=0.002, weight_decay=0.0, shrink=4e-5, ema=0.999, ema_norms="averaged", pad=4, flip=True,
    normalize="cifar_pixels",
)  # fmt: skip

# Lee et al. 2021 (ABC), public code: as Bi-Sampling's, with a slower batch norm.
recipe(
    name="cifar_abc", model="wrn28_2[shortcut=raw,norm_momentum=0.001]", head_init="glorot", epochs=500, steps=500,
    batch_size=64, optimizer="adam", lr=0.002, weight_decay=0.0, shrink=4e-5, ema=0.999, ema_norms="averaged", pad=4, flip=True,
    normalize="cifar_pixels",
)  # fmt: skip

# Heads on features of a frozen backbone: see `lt_core.models.frozen`. Chosen on validation splits of CIFAR-10 and CIFAR-100, of
# draws that no suite uses (benchmarks/frozen_recipe.py). Weight decay decides: 0.01 is 1.9 and 1.7 points better than 0.002 at
# this rate, in the mean of 24 trials of six methods. Twenty epochs find what ten do.
recipe(
    name="frozen", model="frozen[backbone=efficientnet_lite0,size=112,weights=57934424]", epochs=10, batch_size=128, lr=0.1,
    weight_decay=0.01, decay="cosine", normalize="subset", precision="float32", eval_every=1000,
)  # fmt: skip

# 8×8 digits with few labels: seconds a generation. Batch norm's statistics are averaged with the weights, over 20 steps: every
# reference evaluates statistics of about as many steps as its weights are averaged over.
recipe(
    name="digits_semi", model="small_cnn", epochs=20, steps=25, batch_size=32, lr=0.05, nesterov=True, weight_decay=5e-4,
    decay="cosine_7_16", ema=0.95, ema_norms="averaged", pad=1, normalize="subset", precision="float32",
)  # fmt: skip
