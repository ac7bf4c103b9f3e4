"""Second stages: the parameters that are trained, the features that they are trained on, and the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from lt_core.data.loader import Split
from lt_core.stages import Stage, stages_of
from lt_core.training.loop import Training
from lt_core.training.running import stage_context
from tests.lt_core.references.base import BATCH, Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.logit_adjustment import BALMS, adjusted
from tests.lt_core.references.ours import CPU, class_probabilities_agree, objective_agrees, spec_of, split_of
from tests.lt_core.references.resampling import uniform
from tests.lt_core.references.scalars import cross_entropy, mean_of, rows_of, slopes, total

IMAGES = 3  # images per step: few, because loops over sixty-four features are slow
DECOUPLING = "facebookresearch/classifier-balancing {} @ f162ade"


def stages(method: str, split: Split, at: Mapping[str, Any] | None = None) -> tuple[Stage, Stage]:
    """The first and the second stage. The first is not trained, because the formulas do not depend on what it has learnt."""
    spec = spec_of(method, at)
    first, second = stages_of(spec).trainings(stage_context(spec, split, CPU))
    return first, second


def trainings(method: str, split: Split, at: Mapping[str, Any] | None = None) -> tuple[Training, Training]:
    """The trainings of both stages."""
    first, second = (cast(Training, stage.training) for stage in stages(method, split, at))
    return first, second


def features_of(training: Training, images: Tensor, norms: str = "evaluation") -> Tensor:
    """The features that the backbone computes without training."""
    training.model.backbone.train(norms == "training")
    with torch.no_grad():
        return training.model.backbone(images)


def check_crt(case: Case) -> None:
    """Compare the gradient of a new linear classifier on detached features, with batch norm in either mode."""
    norms = ("evaluation", "training")[case.seed % 2]
    first, second = trainings("crt", split_of(case.classes, case.seed), {"kept_norms": norms})
    class_probabilities_agree(case, second.sampling, uniform)
    second.train_mode()
    positions = torch.arange(IMAGES) * 5
    images, labels = second.images(positions)
    value = second.step(positions)
    value.backward()
    assert all(p.grad is None for p in second.model.backbone.parameters())
    layer = second.model.classifier
    features = features_of(first, images, norms).tolist()
    weights, bias = rows_of(layer.weight.double()), rows_of(layer.bias.double()[None])[0]
    losses = []
    for row, y in zip(features, labels.tolist(), strict=True):
        outputs = [total([x * w for x, w in zip(row, column, strict=True)]) + b for column, b in zip(weights, bias, strict=True)]
        losses.append(cross_entropy(outputs, y))
    expected = total(losses) / IMAGES
    expected.backward()
    agree(value, expected, f"value of crt, {norms}, {case}")
    agree(layer.weight.grad.flatten(), slopes(weights).flatten(), f"slope by weights of crt, {norms}, {case}")
    agree(layer.bias.grad, slopes([bias])[0], f"slope by bias of crt, {norms}, {case}")


def check_lws(case: Case) -> None:
    """The outputs are s_c·(w_c·x + b_c), where only s is trained, starting at 1."""
    first, second = trainings("lws", split_of(case.classes, case.seed))
    class_probabilities_agree(case, second.sampling, uniform)
    layer = first.model.classifier
    scale = second.model.classifier.scale
    assert scale.tolist() == [1.0] * case.classes
    assert [p for p in second.model.parameters() if p.requires_grad] == [scale]
    with torch.no_grad():
        scale += 0.1 * torch.arange(case.classes) / case.classes
        layer.bias += 0.3
    x = torch.cat([case.features] * 11, 1)[:, :64].float()
    labels = torch.tensor(case.labels)
    value = second.objective(second.model.classifier(x), x, labels)
    (found,) = torch.autograd.grad(value, scale)
    (numbers,) = rows_of(scale.double()[None])
    said = x.double().numpy() @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
    rows = [[s * z for s, z in zip(numbers, row, strict=True)] for row in said.tolist()]
    expected = total([cross_entropy(row, y) for row, y in zip(rows, case.labels, strict=True)]) / BATCH
    expected.backward()
    agree(value, expected, f"value of lws, {case}")
    agree(found, slopes([numbers])[0], f"slope by scales of lws, {case}")


def check_fine_tune(case: Case, method: str) -> Training:
    """Training continues with the whole network, at a tenth of the learning rate."""
    first, second = trainings(method, split_of(case.classes, case.seed))
    assert second.model is first.model and all(p.requires_grad for p in second.model.parameters())
    assert second.recipe.lr == 0.1 * first.recipe.lr
    return second


def check_fine_tune_balanced(case: Case) -> None:
    second = check_fine_tune(case, "fine_tune_balanced")
    class_probabilities_agree(case, second.sampling, uniform)
    objective_agrees(case, "fine_tune_balanced", mean_of(cross_entropy))


def check_fine_tune_logit_adjusted(case: Case) -> None:
    check_fine_tune(case, "fine_tune_logit_adjusted")
    objective_agrees(case, "fine_tune_logit_adjusted", mean_of(adjusted(case, 1.0)))


def check_decoupled(case: Case) -> None:
    first, second = trainings("decoupled_balanced_softmax", split_of(case.classes, case.seed))
    trained = {name for name, p in second.model.named_parameters() if p.requires_grad}
    assert trained == {"classifier.weight", "classifier.bias"} and second.model.backbone is first.model.backbone
    assert not torch.equal(second.model.classifier.weight, first.model.classifier.weight)
    objective_agrees(case, "decoupled_balanced_softmax", mean_of(adjusted(case, 1.0)))


NORMS = (
    "Batch norm in the fixed backbone is in evaluation mode, whereas the code puts the whole network into training mode.",
    "The paper does not say which it uses. Set kept_norms=training to do what the code does.",
)


def rate(length: str) -> tuple[str, str]:
    """The deviation of a second stage, whose length in the code is ``length``."""
    return (
        "The learning rate decreases along a cosine at every step, and the second stage has 15 % of the first stage's epochs. "
        f"The code lowers the rate once per epoch, and has {length}.",
        "Both are parameters here: retrain is the length of the second stage, and retrain_lr its initial learning rate.",
    )


START = (
    "The new classifier has Kaiming's normal initialisation, whereas the code keeps PyTorch's default.",
    "All linear classifiers start that way here, unless the recipe's head_init says otherwise.",
)

REFERENCES = (
    Reference(
        "crt",
        DECOUPLING.format("run_networks.py, models/DotProductClassifier.py, data/ClassAwareSampler.py"),
        "the second stage's loss and its gradient with respect to the classifier, with batch norm in either mode, and the "
        "exact probability of drawing each class",
        check_crt,
        (NORMS, rate("ten epochs after ninety on ImageNet-LT"), START),
    ),
    Reference(
        "lws",
        DECOUPLING.format("run_networks.py, models/TauNormClassifier.py"),
        "the second stage's loss and its gradient with respect to the scales, and the exact probability of drawing each class",
        check_lws,
        (NORMS, rate("five epochs after ninety on ImageNet-LT")),
    ),
    Reference(
        "fine_tune_balanced",
        "no public code; a baseline of Kang et al. 2020 and He et al. 2021",
        f"{OBJECTIVE}, the exact probability of drawing each class, and the second stage, which trains the whole network further "
        "at a tenth of the learning rate",
        check_fine_tune_balanced,
    ),
    Reference(
        "fine_tune_logit_adjusted",
        "no public code; the loss of Menon et al. 2021, Eq. 10, in a second stage",
        f"{OBJECTIVE}, and the second stage, which trains the whole network further at a tenth of the learning rate",
        check_fine_tune_logit_adjusted,
    ),
    Reference(
        "decoupled_balanced_softmax",
        BALMS + ", config/CIFAR10_LT/decouple_balanced_softmax_imba200.yaml",
        f"{OBJECTIVE}, and the set of parameters that are trained",
        check_decoupled,
        (NORMS, rate("2,000 iterations after 13,000 on CIFAR-10"), START),
    ),
)
