"""What the pieces of a trial may use of each other, separate from the classes that implement it (as in torchtitan).

| who asks | asks for | and gets |
|---|---|---|
| features, evaluation, diagnosis | `Predictor` | the network that predicts, and how its outputs are read |
| a step | `StepContext` | the classifier's training that it is a part of |
| the trial | `Trainable` | anything that is trained in epochs |
| stages | `TrainableClassifier` | what they have `lt_core.training.loop.Training` made for |

B is the size of a batch, N that of the training subset, C the number of classes. Attributes are never set from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer

from lt_core.data.loader import Batches, Split
from lt_core.losses.base import Loss, LossFn, WeightedLossFn
from lt_core.models.registry import Net
from lt_core.posthoc import Posthoc
from lt_core.recipes import Recipe
from lt_core.regularizer import FeatureTerm
from lt_core.spec import TrialSpec
from lt_core.weights import Weights


class Classifier(Protocol):
    """A network and its images, with the loss that defines what its outputs mean."""

    @property
    def split(self) -> Split:
        """The images of the trial; ``split.counts`` [C] are its class sizes."""

    @property
    def batches(self) -> Batches:
        """Batches of the training images, with the normalisation that all other images get too."""

    @property
    def loss(self) -> Loss:
        """The loss, which knows how outputs become logits and logits probabilities."""

    def forward(self, images: Tensor, labels: Tensor | None = None, net: Net | None = None) -> tuple[Tensor, Tensor]:
        """Outputs [B, C] and features [B, width], float32, for normalised ``images`` [B, channels, H, W].

        Args:
            labels: [B], for heads with a margin of their own.
            net: the network to use in place of the one in training.
        """


class Predictor(Classifier, Protocol):
    """A classifier, and everything that turns its outputs into predictions."""

    @property
    def evaluated(self) -> Net:
        """The network that predicts: the averaged one, where there is one."""

    @property
    def posthoc(self) -> Posthoc:
        """The correction of predictions."""


class StepContext(Classifier, Protocol):
    """What a step may use of its training."""

    @property
    def spec(self) -> TrialSpec:
        """The trial."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of this training, which in a second stage is not the trial's."""

    @property
    def device(self) -> torch.device:
        """Where all tensors are."""

    @property
    def epochs(self) -> int:
        """Number of epochs of this training."""

    @property
    def epoch(self) -> int:
        """Number of the current epoch, from 0."""

    @property
    def rate(self) -> float | Tensor:
        """The optimiser's learning rate in this step: a tensor [] if steps are recorded, because it changes from step to step."""

    @property
    def model(self) -> Net:
        """The network in training."""

    @property
    def averaged(self) -> Net | None:
        """The moving average of its weights; None: the recipe keeps none."""

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser of ``model``, which takes a step after the backward pass."""

    @property
    def order(self) -> Generator:
        """Draws which images are used, on ``device``; its initial seed is the training's."""

    @property
    def augment(self) -> Generator:
        """Draws how images are augmented, on ``device``."""

    @property
    def loss_of(self) -> LossFn:
        """The method's loss of each image [B], without weights."""

    @property
    def weighted_loss_of(self) -> WeightedLossFn:
        """Like ``loss_of``, for losses that also depend on the weight of each image [B]; the caller still multiplies the result
        by the weight.
        """

    @property
    def weights(self) -> Weights:
        """The method's weights, which know how weighted losses [B] become one number."""

    @property
    def feature_term(self) -> FeatureTerm | None:
        """The regulariser's term on features [B, width]; None: there is none."""

    def images(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented, normalised training images [B, channels, H, W] at ``positions`` [B] of N, and their labels [B]."""

    def augmented(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised ``images`` [B, channels, H, W] with the method's own augmentation, and their ``labels`` [B]."""

    def image_weights(self, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The method's weight of each image [B]; 1 while the schedule defers it."""

    def objective(self, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The mean weighted loss of a batch with the regulariser's term: a scalar. It is the whole loss of the plain step."""

    def autocast(self) -> torch.autocast:
        """A context in which the network computes in the recipe's precision."""

    def traceless(self, net: Net, images: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Outputs [B, C] of ``net``, float32, with ``parameters`` (by name) in place of its own; its buffers do not change."""

    def train_mode(self) -> None:
        """Put ``model`` back into training mode, except its frozen modules."""


class Trainable(Protocol):
    """Something that is trained in epochs and can be stored between them."""

    @property
    def epochs(self) -> int:
        """Number of epochs; 0 if it is only to be evaluated."""

    @property
    def epoch(self) -> int:
        """Finished epochs."""

    @property
    def images_seen(self) -> int:
        """Images in the last epoch that count towards the trial's images per second."""

    def run_epoch(self) -> float:
        """Train one epoch; returns its mean loss."""

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain values, including ``epoch``."""

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""


class TrainableClassifier(Trainable, Predictor, Protocol):
    """The training of a classifier, as stages and the trial see it."""

    @property
    def spec(self) -> TrialSpec:
        """The trial whose method is trained: in a first stage, that of ``stage_one``."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of this training, which says after which epochs the learning curve has a point."""

    @property
    def dtype(self) -> torch.dtype | None:
        """The precision in which the network computes under autocast; None: float32."""

    @property
    def reported(self) -> dict[str, float]:
        """Figures of the last epoch reported by the step, for the learning curve."""
