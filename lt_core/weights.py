"""Class weights, and how weighted losses are averaged."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lt_core.fields import param
from lt_core.parts import Part, part


def _sum_to_classes(raw: Tensor) -> Tensor:
    """Scale ``raw`` so that the weights sum to C (Cui et al. 2019, section 4: keeps the scale of the loss)."""
    return raw * (len(raw) / raw.sum())


@dataclass(frozen=True)
class Weights(Part):
    """One weight per class. ``mean`` says how the weighted losses of a batch become one number."""

    captured: ClassVar[bool] = True  # weights of images are functions of tensors
    mean: str = param(
        "images",
        "divide Σ w·loss by the number of images, or by Σ w (as F.cross_entropy(weight=…) does)",
        choices=("images", "weights"),
    )

    @property
    def rate(self) -> float:
        """Factor on the recipe's learning rate while the weights are in force."""
        return 1.0

    @abstractmethod
    def bind(self, counts: Tensor) -> Tensor:
        """Weights for class sizes ``counts`` ([C], float64), summing to C."""

    def of_images(self, class_weights: Tensor, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The weight of each image, [B]: that of its class, unless the part computes another one."""
        return class_weights[labels]

    def average(self, losses: Tensor, image_weights: Tensor) -> Tensor:
        """Weighted mean of ``losses`` [B]: a scalar."""
        weighted = losses * image_weights
        return weighted.mean() if self.mean == "images" else weighted.sum() / image_weights.sum()

    def share(self, class_weights: Tensor, labels: Tensor, of: Tensor) -> Tensor | float:
        """How much the `average` over images with ``labels`` counts in that over their batch, whose labels are ``of``."""
        if self.mean == "images":
            return len(labels) / len(of)
        return class_weights[labels].sum() / class_weights[of].sum()


@part("weights", "none")
class NoWeights(Weights):
    """All classes have weight 1."""

    def bind(self, counts: Tensor) -> Tensor:
        return torch.ones_like(counts)


@part("weights", "inverse")
class Inverse(Weights):
    """w_c ∝ n_c^(−power): inverse class frequency at 1, its square root at 1/2."""

    power: float = param(1.0, "exponent; 1: inverse frequency, 0.5: inverse square root, 0: no weights", low=0, tune=(0.5, 1.0))

    def bind(self, counts: Tensor) -> Tensor:
        return _sum_to_classes(counts**-self.power)


def class_balanced(counts: Tensor, beta: float) -> Tensor:
    """Weights ∝ (1 − β)/(1 − β^n_c) for class sizes ``counts`` [C], summing to C (Cui et al. 2019, Eq. 2 and 11).

    1 − β^n is −expm1(n·log β): in float32, the direct form loses precision at β = 0.9999.
    """
    if beta == 0:
        return torch.ones_like(counts)
    log_beta = torch.log(torch.tensor(beta, dtype=torch.float64))
    return _sum_to_classes(1 / -torch.expm1(counts.double() * log_beta)).to(counts)


@part("weights", "effective_number")
class EffectiveNumber(Weights):
    """w_c ∝ (1 − β)/(1 − β^n_c): class-balanced weights by the effective number of images (Cui et al. 2019, Eq. 2 and 11)."""

    cb_beta: float = param(0.9999, "β; 0: no weights, →1: inverse frequency", low=0, below=1, tune=(0.9, 0.99, 0.999, 0.9999))

    def bind(self, counts: Tensor) -> Tensor:
        return class_balanced(counts, self.cb_beta)


@part("weights", "influence")
class Influence(Weights):
    """λ_y/(‖p − onehot(y)‖₁·‖h‖₁ + ε) of each image, λ_c = α·C·n_c^(−1)/Σ_j n_j^(−1) (Park et al. 2021, ICCV, Eq. 9 and 10).

    The product is the size of the image's gradient at the last layer, its influence on the decision boundary; p is the
    softmax of the outputs and h the features.

    In the paper, the weight is a constant in the gradient, which is ``ib_gradient`` stopped. The public code (pseulki/IB-Loss,
    losses.py) differentiates through it. For an image that is classified with near certainty, the gradient with respect to its
    logits is then only ε/(influence + ε) times the paper's, and its features are driven to grow. The code also sets α = 1000 and
    divides the learning rate by 100 as soon as the weights apply (``ib_rate`` 0.01). A gradient step has the same length with
    α = 10 and the full rate, which are the defaults here, but weight decay and earlier momentum then have a hundred times the
    effect that they have in the code. The method influence_balanced declares the code's three choices.
    """

    ib_alpha: float = param(10.0, "α: a factor on all weights", above=0, tune=(10.0, 100.0, 1000.0))
    ib_epsilon: float = param(1e-3, "ε: limits the weight of an image that is classified with certainty", above=0)
    ib_gradient: str = param(
        "stopped",
        "whether the weight is treated as a constant (the paper) or the gradient flows through it (the public code)",
        choices=("stopped", "through"),
    )
    ib_rate: float = param(1.0, "factor on the learning rate while the weights are in force; 0.01 in the public code", above=0)

    @property
    def whole_batch(self) -> str:
        return "" if self.mean == "images" else "divides by weights that depend on the network's outputs"

    @property
    def rate(self) -> float:
        return self.ib_rate

    def bind(self, counts: Tensor) -> Tensor:
        return _sum_to_classes(1 / counts)

    def of_images(self, class_weights: Tensor, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        if self.ib_gradient == "stopped":
            outputs, features = outputs.detach(), features.detach()
        # Σ_c |p_c − onehot_c| = 2·Σ_{c≠y} p_c, which stays accurate where 1 − p_y would be 0 in float32.
        distance = 2 * outputs.softmax(dim=1).scatter(1, labels[:, None], 0.0).sum(dim=1)
        influence = distance * features.abs().sum(dim=1)
        return self.ib_alpha * class_weights[labels] / (influence + self.ib_epsilon)
