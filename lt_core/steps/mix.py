"""Mixing two images of a batch: input mixup, manifold mixup, Remix."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.models.registry import called
from lt_core.parts import part
from lt_core.protocols import StepContext
from lt_core.steps.base import BoundStep, Step


class _Mixing(BoundStep):
    """Draws λ ~ Beta(α, α) for each batch and a partner for each image; the loss is λ·L(y_a) + (1 − λ)·L(y_b)."""

    def __init__(self, training: StepContext, config: Mixup) -> None:
        super().__init__(training)
        self.config = config
        # torch cannot draw from a Beta distribution with a given generator, so numpy does, with the training's own seed.
        self.draws = np.random.default_rng(training.order.initial_seed())

    def __call__(self, positions: Tensor) -> Tensor:
        training = self.training
        images, labels = training.images(positions)
        if self.config.mix_alpha == 0:
            return training.objective(*training.forward(images, labels), labels)
        share = float(self.draws.beta(self.config.mix_alpha, self.config.mix_alpha))
        partner = torch.randperm(len(positions), generator=training.order, device=positions.device)
        outputs, features = self.forward(images, labels, partner, share)
        first = self.config.label_share(share, training.split.counts, labels, labels[partner])
        losses, weights = torch.zeros_like(first), torch.zeros_like(first)
        for y, share_of_it in ((labels, first), (labels[partner], 1 - first)):
            own = training.image_weights(outputs, features, y)
            weight = share_of_it * own
            losses, weights = losses + weight * training.weighted_loss_of(outputs, y, own), weights + weight
        mixed = training.weights.average(losses / weights, weights)
        return mixed + training.feature_term(features, labels) if training.feature_term else mixed

    def forward(self, images: Tensor, labels: Tensor, partner: Tensor, share: float) -> tuple[Tensor, Tensor]:
        return self.training.forward(share * images + (1 - share) * images[partner], labels)

    def state(self) -> dict[str, Any]:
        return {"draws": repr(self.draws.bit_generator.state)}

    def restore(self, state: dict[str, Any]) -> None:
        import ast

        self.draws.bit_generator.state = ast.literal_eval(state["draws"])


@part("step", "mixup")
class Mixup(Step):
    """Mixed images λ·x_a + (1 − λ)·x_b of a batch, λ ~ Beta(α, α) (Zhang et al. 2018, ICLR)."""

    mix_alpha: float = param(1.0, "α of the Beta distribution; 0: no mixing", low=0, tune=(0.2, 0.5, 1.0))
    bound: ClassVar[type[_Mixing]] = _Mixing
    divisible: ClassVar[bool] = True

    def bind(self, training: StepContext) -> BoundStep:
        return self.bound(training, self)

    def label_share(self, share: float, counts: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Weight of the label of the first image of each pair: [B]."""
        return torch.full_like(a, share, dtype=torch.float32)


class _Manifold(_Mixing):
    def forward(self, images: Tensor, labels: Tensor, partner: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Mixes the input, or the output of any group but the last, chosen at random for each batch."""
        training = self.training
        backbone = training.model.backbone
        groups = list(backbone.groups)  # type: ignore[arg-type]
        layer = int(self.draws.integers(len(groups)))
        with training.autocast():
            hidden = images
            for number, group in enumerate(groups):
                if number == layer:
                    hidden = share * hidden + (1 - share) * hidden[partner]
                hidden = group(backbone.begin(hidden) if number == 0 else hidden)  # type: ignore[operator]
            features = backbone.finish(hidden)  # type: ignore[operator]
            return training.model.classify(features, labels).float(), features.float()


@part("step", "manifold_mixup")
class ManifoldMixup(Mixup):
    """Mixup of the input or of a hidden layer, chosen at random for each batch (Verma et al. 2019, ICML)."""

    bound: ClassVar[type[_Mixing]] = _Manifold
    divisible: ClassVar[bool] = False

    def backbone(self, backbone: nn.Module) -> nn.Module:
        if len(getattr(backbone, "groups", ())) < 2:
            raise UserError(
                f"manifold_mixup mixes hidden layers, but {called(backbone)} does not consist of groups in sequence: use mixup"
            )
        return backbone


@part("step", "remix")
class Remix(Mixup):
    """Mixup in which the label goes to the rarer class if class sizes differ strongly (Chou et al. 2020, ECCVW, Eq. 6).

    The label is that of b if n_a/n_b ≥ κ and λ < τ, that of a if n_a/n_b ≤ 1/κ and 1 − λ < τ, and mixed by λ otherwise.
    """

    remix_kappa: float = param(3.0, "κ: ratio of class sizes above which the label may go to the rarer class", low=1)
    remix_tau: float = param(
        0.5, "τ: largest share of the more frequent class in the image for which that happens", low=0, high=1
    )

    def label_share(self, share: float, counts: Tensor, a: Tensor, b: Tensor) -> Tensor:
        ratio = counts[a] / counts[b]
        weight = super().label_share(share, counts, a, b)
        if share < self.remix_tau:
            weight = weight.masked_fill(ratio >= self.remix_kappa, 0.0)
        if 1 - share < self.remix_tau:
            weight = weight.masked_fill(ratio <= 1 / self.remix_kappa, 1.0)
        return weight
