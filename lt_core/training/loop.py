"""The training loop, which combines the parts of a method epoch by epoch."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lt_core.augment import Augment
from lt_core.data.loader import Batches, Split
from lt_core.errors import UserError
from lt_core.interruption import before_step
from lt_core.losses.base import Loss
from lt_core.losses.smoothing import smoothed
from lt_core.models.batch_of_one import can_train_on_one
from lt_core.models.heads import Head
from lt_core.models.registry import Net
from lt_core.parts import build_parts, promises, repeats
from lt_core.posthoc import Posthoc
from lt_core.recipes import Recipe
from lt_core.regularizer import Regularizer
from lt_core.sampling import Sampling
from lt_core.schedule import Schedule
from lt_core.spec import TrialSpec
from lt_core.steps.base import BoundStep, Step
from lt_core.synthesis import Synthesis
from lt_core.training.after_step import move_average, shrink
from lt_core.training.enlarge import enlarged
from lt_core.training.fresh import fresh_network, start_at_prior
from lt_core.training.optim import learning_rate, make_optimizer, make_recordable, set_rate
from lt_core.training.replay import Replay, recorder_for
from lt_core.training.runtime import autocast_dtype, drawing_from
from lt_core.training.team import current
from lt_core.weights import Weights


class Training:
    """One model in training, with its optimiser and its random generators. `run_epoch` trains one epoch.

    Randomness comes from two generators of its own, one for the order of images and one for augmentation, so that nothing else
    in the process affects it. What layers such as dropout draw depends only on seed and epoch.

    Args:
        recipe: used instead of the spec's, for a second stage.
        model: a network to continue with instead of a fresh one.
        frozen: modules of ``model`` whose weights stay as they are.
        frozen_norms: whether batch norm in these modules works and learns as in training; otherwise it stays as it is too.
        loss, sampling, step: used instead of the method's.
        class_factors: [C], factors on the method's class weights.
        seed: used instead of the spec's, for one member of an ensemble.
        epochs: used instead of the recipe's; 0 for a model that is only to be evaluated.

    Raises:
        UserError: the network cannot be built from these images, or the step needs another network.
    """

    def __init__(
        self,
        spec: TrialSpec,
        split: Split,
        device: torch.device,
        *,
        recipe: Recipe | None = None,
        model: Net | None = None,
        frozen: Iterable[nn.Module] = (),
        frozen_norms: bool = False,
        loss: Loss | None = None,
        sampling: Sampling | None = None,
        class_factors: Tensor | None = None,
        step: Step | None = None,
        seed: int | None = None,
        epochs: int | None = None,
    ) -> None:
        parts = build_parts(spec.method.params, spec.method.name)
        seed = spec.seed if seed is None else seed
        self.spec, self.recipe, self.device, self.seed = spec, recipe or spec.recipe, device, seed
        self.split = split = enlarged(split, cast(Synthesis, parts["synthesis"]), seed)
        self.loss, self.posthoc = loss or cast(Loss, parts["loss"]), cast(Posthoc, parts["posthoc"])
        self.sampling, self.schedule = sampling or cast(Sampling, parts["sampling"]), cast(Schedule, parts["schedule"])
        self.weights = cast(Weights, parts["weights"])

        classes = len(split.counts)
        step = step or cast(Step, parts["step"])
        fresh = model is None
        if model is None:
            model = fresh_network(self.recipe, split.shape, classes, cast(Head, parts["head"]), step, seed)
        if current() and self.recipe.batch_norm == "batch":
            model = cast(Net, nn.SyncBatchNorm.convert_sync_batchnorm(model))
        self.model: Net = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frozen, self.frozen_norms = list(frozen), frozen_norms
        for module in self.frozen:
            module.requires_grad_(False)
        undecayed = start_at_prior(self.model, classes) if fresh and self.loss.prior_bias else []
        self.optimizer = make_optimizer(self.recipe, self.model, undecayed)
        self.averaged = copy.deepcopy(self.model) if self.recipe.ema and epochs != 0 else None
        self.dtype = autocast_dtype(self.recipe.precision, device)
        self.batches = Batches(split.train, self.recipe)
        self.order = torch.Generator(device).manual_seed(2 * seed)
        self.augment = torch.Generator(device).manual_seed(2 * seed + 1)

        self.loss_of, self.weighted_loss_of = smoothed(self.loss, split.counts.float(), self.recipe.label_smoothing)
        self.feature_term = cast(Regularizer, parts["regularizer"]).bind()
        self.augmentation = cast(Augment, parts["augment"]).bind(split.counts)
        self.class_weights = self.weights.bind(split.counts).float()
        if class_factors is not None:
            self.class_weights = self.class_weights * class_factors
        self.step = step.bind(self)
        plain = build_parts({})  # the neutral choices, which a schedule defers to
        self.plain_step, self.plain_sampling = cast(Step, plain["step"]).bind(self), cast(Sampling, plain["sampling"])
        self.epochs = self.recipe.epochs if epochs is None else epochs
        self.epoch, self.images_seen = 0, 0
        self.reported: dict[str, float] = {}  # what the step reports of the last epoch
        self.total = torch.zeros((), device=device)  # sum of the epoch's losses
        self.team = current()
        inside = [self.loss, *(parts[group] for group in ("weights", "head", "regularizer", "augment")), self.model.backbone]
        #: Whether everything that takes part in the plain step promises to decide nothing on the host.
        self.captured = self.batches.captured and all(map(promises, inside))
        self.captured = self.captured and all(map(repeats, self.model.classifier.modules()))
        self.replay = self._replay()

    def _replay(self) -> Replay | None:
        """What replays the steps that may be recorded; None if the device or a part of the method cannot."""
        recorder = recorder_for(self.device, self.model.backbone)
        if recorder is None or self.team or not self.captured:
            return None
        make_recordable(self.optimizer, self.device)
        return Replay(recorder, [self.augment])

    @property
    def rate(self) -> float | Tensor:
        """The learning rate of the optimiser: a tensor [] if steps are recorded."""
        rate: float | Tensor = self.optimizer.param_groups[0]["lr"]
        return rate

    @property
    def rebalanced(self) -> bool:
        """Whether the method's weights, sampling and step are in force this epoch."""
        return self.schedule.rebalances(self.epoch, self.recipe.epochs)

    @property
    def progress(self) -> float:
        """The share of the rebalanced epochs that has passed: 0 in the first, 1 in the last."""
        return self.schedule.progress(self.epoch, self.recipe.epochs)

    def images(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented, normalised training images at ``positions`` and their labels."""
        return self.augmented(*self.batches.train(positions, self.augment))

    def augmented(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised ``images`` [B, channels, H, W] with the method's own augmentation, and their ``labels`` [B]."""
        return self.augmentation(images, labels, self.augment) if self.augmentation else images, labels

    def forward(self, images: Tensor, labels: Tensor | None = None, net: Net | None = None) -> tuple[Tensor, Tensor]:
        """Outputs [B, C] and features [B, width] of ``net``, or of the network in training, in float32.

        ``labels`` are for heads with a margin of their own.
        """
        net = net or self.model

        def whole(images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
            with self.autocast():
                features = net.backbone(images)
                return net.classify(features, labels).float(), features.float()

        return self.team.divided(whole, images, labels) if self.team else whole(images, labels)

    def autocast(self) -> torch.autocast:
        """A context in which the network computes in the recipe's precision."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def traceless(self, net: Net, images: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Outputs [B, C] of ``net`` in float32, with ``parameters`` by name instead of its own. Its buffers, among them the
        running statistics of batch norm, stay as they are.
        """
        buffers = {name: b.clone() for name, b in net.named_buffers()}
        with self.autocast():
            out: Tensor = functional_call(net, {**(parameters or {}), **buffers}, (images,)).float()
            return out

    def outputs(self, images: Tensor) -> Tensor:
        """The network's outputs in float32 for normalised images: [B, C]."""
        return self.forward(images)[0]

    def image_weights(self, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The method's weight of each image; 1 while the schedule defers it: [B]."""
        if not self.rebalanced:
            return torch.ones_like(outputs[:, 0])
        return self.weights.of_images(self.class_weights, outputs, features, labels)

    def objective(self, outputs: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The mean weighted loss of a batch and the method's feature term: a scalar."""
        if self.rebalanced:
            weights = self.image_weights(outputs, features, labels)
            loss = self.weights.average(self.weighted_loss_of(outputs, labels, weights), weights)
        else:
            loss = self.loss_of(outputs, labels).mean()
        return loss + self.feature_term(features, labels) if self.feature_term else loss

    def run_epoch(self) -> float:
        """Train one epoch; returns its mean weighted loss. The only wait for the device is at the end."""
        step, sampling = (self.step, self.sampling) if self.rebalanced else (self.plain_step, self.plain_sampling)
        recorded = promises(step) or (promises(step, "captured_on_cpu") and self.device.type == "cpu")
        order = self._order(sampling)
        self.batches.draws.begin(self.epoch)
        self.train_mode()
        if self.epoch == 0 and len(order) % self.recipe.batch_size == 1:
            self._refuse_a_batch_of_one()
        self.total.zero_()
        with drawing_from(self.seed, self.epoch, self.device, self.team.rank if self.team else 0):
            for start in range(0, len(order), self.recipe.batch_size):
                before_step()
                rate = learning_rate(self.recipe, self.epoch, start / len(order))
                set_rate(self.optimizer, rate * self.weights.rate if self.rebalanced else rate)
                positions = order[start : start + self.recipe.batch_size]
                if self.replay and recorded:
                    self.replay(partial(self._take, step), positions, (len(positions), self.rebalanced))
                else:
                    self._take(step, positions)
        if self.team:
            self.team.average_buffers([self.model] if self.averaged is None else [self.model, self.averaged])
        self.reported = step.report()
        self.epoch += 1
        self.images_seen = len(order)
        return float(self.total) / len(order)

    def _refuse_a_batch_of_one(self) -> None:
        """Raise if the network cannot be trained on the last batch of an epoch, before the epoch is spent."""
        if not can_train_on_one(self.model.backbone, self.recipe.network_shape(self.split.shape)):
            size = self.recipe.batch_size
            raise UserError(
                f"the last batch of each epoch has one image, which {self.recipe.model} cannot normalise: change batch_size from "
                f"{size}, for example to {size + 1}"
            )

    def _take(self, step: BoundStep, positions: Tensor) -> None:
        """One step of the optimiser on the batch at ``positions``, computed in micro-batches if the recipe asks for them."""
        for number, part in enumerate(positions.split(self.recipe.micro_batch or len(positions))):
            loss = step(part)
            if len(part) < len(positions):
                loss = loss * self._share(part, positions)
            if number == 0:
                self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.total += loss.detach() * len(positions)
        if self.team:
            self.team.sum_gradients(self.model)
        self.optimizer.step()
        if self.averaged is not None:
            move_average(self.averaged, self.model, self.recipe)
        if self.recipe.shrink:
            shrink(self.model, self.frozen, self.recipe.shrink)

    def _share(self, part: Tensor, positions: Tensor) -> Tensor | float:
        """The weight of the mean loss of a ``part`` in that of the batch at ``positions``."""
        if not self.rebalanced:
            return len(part) / len(positions)
        labels = self.split.train.labels
        return self.weights.share(self.class_weights, labels[part], labels[positions])

    def _order(self, sampling: Sampling) -> Tensor:
        """Positions of an epoch: what the sampling draws once, or as often as it takes to fill the recipe's steps."""
        labels, counts = self.split.train.labels, self.split.drawn_counts
        order = sampling.epoch(labels, counts, self.order, self.progress)
        wanted = self.recipe.steps * self.recipe.batch_size
        while len(order) < wanted:
            order = torch.cat([order, sampling.epoch(labels, counts, self.order, self.progress)])
        return order[:wanted] if wanted else order

    @property
    def evaluated(self) -> Net:
        """The network that predicts, and on which later stages build: the averaged one, if there is one."""
        return self.model if self.averaged is None else self.averaged

    def train_mode(self) -> None:
        """Put the network into training mode. In frozen modules, batch norm learns only if ``frozen_norms`` is set."""
        self.model.train()
        for module in self.frozen:
            module.train(self.frozen_norms)

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.order.get_state(),
            "augment": self.augment.get_state(),
            "step": self.step.state(),
            "averaged": self.averaged.state_dict() if self.averaged else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.replay:
            make_recordable(self.optimizer, self.device)
            self.replay.forget()
        self.order.set_state(state["order"])
        self.augment.set_state(state["augment"])
        self.step.restore(state["step"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.epoch = state["epoch"]
