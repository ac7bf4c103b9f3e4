"""What must hold for everything that can be trained: a method, or softmax with a part."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch

from lt_core.features import by_batches
from lt_core.identity import NEUTRAL
from lt_core.methods import resolve
from lt_core.testing.check import TRAINING, check, expect
from lt_core.testing.trials import VALIDATED, figures_of, finished, fitting_spec, split_of, tiny_spec, trained
from lt_core.training.evaluate import evaluate


@check(TRAINING)
def it_learns_with_a_class_of_one_image(label: str) -> None:
    """It trains even if a class has one image."""
    counts = [40, 30, 20, 10, 8, 6, 4, 3, 2, 1]
    result = finished(fitting_spec(label, data={"imbalance_type": "counts", "counts": counts, "validation": 2}))
    expect(result.train_counts[-1] == 1, f"its training subset has {result.train_counts[-1]} images of that class")
    losses = [row["train_loss"] for row in result.curve]  # NaN if nothing was trained, as for class means
    expect(any(map(math.isfinite, losses)) and not any(map(math.isinf, losses)), f"the losses of its epochs are {losses}")


@check(TRAINING)
def it_takes_any_number_of_classes(label: str) -> None:
    """It trains with two classes, and with a hundred of one or two images each."""
    for counts in ([30, 3], [1] * 50 + [2] * 50):
        split = split_of(counts)
        training, losses = trained(fitting_spec(label, epochs=2), split)
        expect(all(map(math.isfinite, losses)), f"with {len(counts)} classes, the losses of its epochs are {losses}")
        found = evaluate(training, training.split.test)
        seen = found.outcome.images.astype(int).tolist()
        expect(
            seen == counts and found.calibration[0].sum() == sum(counts),
            f"{seen} test images per class are counted, instead of {counts}",
        )


@check(TRAINING)
def it_learns_a_small_batch_by_heart(label: str) -> None:
    """It memorises twenty images in sixty epochs."""
    long = {"retrain": 1.0} if "retrain" in resolve(label).params else {}  # a second stage needs enough time, too
    plainly: dict[str, Any] = {"pad": 0, "warmup_epochs": 0, "milestones": (), "drops": (), "weight_decay": 0.0, "batch_size": 20}
    spec, split = fitting_spec(label, long, epochs=60, **plainly), split_of([4] * 5)
    training, losses = trained(spec, split)
    accuracy = evaluate(training, training.split.test).accuracy  # the same images, as the training sees them
    expect(accuracy == 1.0, f"after sixty epochs, it predicts {100 * accuracy:.0f} % of twenty training images")
    # With a mixed or smoothed target even the smallest loss is above zero, and with a term on features it may be.
    plain = {k: NEUTRAL[k] for k in ("step", "loss", "regularizer")}.items() <= spec.method.params.items()
    # A weight may grow as the loss falls, as influence weights do; then the loss without weights shows what has been learnt.
    last = losses[-1] if spec.method.params["weights"] == NEUTRAL["weights"] else _unweighted_loss(training, split.train)
    expect(last < (0.25 if plain else 1) * losses[0], f"its loss goes from {losses[0]:.3g} to {last:.3g}")


@torch.no_grad()
def _unweighted_loss(training: Any, images: Any) -> float:
    outputs = by_batches(training, images, lambda outputs, features: outputs)
    return float(training.loss_of(outputs, images.labels).mean())


@check(TRAINING)
def its_figures_are_those_of_its_seed(label: str) -> None:
    """The same trial gives the same figures after any other trial, and another seed gives different ones."""
    spec = fitting_spec(label, seed=3, data=VALIDATED)
    before = figures_of(finished(spec))
    finished(tiny_spec(seed=8, optimizer="adam", batch_size=17, epochs=1))
    torch.manual_seed(99)
    torch.rand(5)
    expect(figures_of(finished(spec)) == before, "run again after another trial, it has different figures")
    other = finished(dataclasses.replace(spec, seed=4))
    expect(other.confusion != before["confusion"], "two seeds give the same predictions")
