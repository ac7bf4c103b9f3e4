"""Why deferred re-sampling (ce_drs) can be worse than plain cross-entropy: the statistics of batch norm.

    python benchmarks/batch_norm.py

It prints balanced accuracy on digits at imbalance factor 50, mean and standard deviation over seeds, for
  plain       cross-entropy, as trained
  statistics  the same weights, after class-balanced batches have passed through batch norm in training mode
  drs         ce_drs, which samples classes equally in the last fifth of training
  drs frozen  the same, but batch norm's statistics are not updated after the switch
"""

from __future__ import annotations

import statistics

import torch

from lt_core.data.trial_images import draw_images
from lt_core.methods import resolve
from lt_core.recipes import RECIPES
from lt_core.sampling import ClassBalanced
from lt_core.spec import DataSpec, TrialSpec
from lt_core.training.evaluate import evaluate
from lt_core.training.loop import Training

DATA = DataSpec(dataset="digits", imbalance_factor=50, n_max=100, validation=20)
CPU, SEEDS = torch.device("cpu"), 15


def trained(method: str, seed: int, frozen_from: int | None = None) -> Training:
    """A trained model, whose batch norm's statistics are not updated from epoch ``frozen_from`` on."""
    training = Training(TrialSpec(DATA, resolve(method), RECIPES["digits"], seed), draw_images(DATA, CPU).split, CPU)
    while training.epoch < training.epochs:
        if training.epoch == frozen_from:
            training.frozen = [m for m in training.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        training.run_epoch()
    return training


@torch.no_grad()
def rebalance_statistics(training: Training, epochs: int = 8) -> None:
    """Pass class-balanced batches through the network in training mode, without changing its weights."""
    training.train_mode()
    for _ in range(epochs):
        order = ClassBalanced().epoch(training.split.train.labels, training.split.counts, training.order)
        for positions in order.split(training.recipe.batch_size):
            training.forward(*training.images(positions))


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {"plain": [], "statistics": [], "drs": [], "drs frozen": []}
    for seed in range(SEEDS):
        plain = trained("softmax", seed)
        found["plain"].append(evaluate(plain, plain.split.test).balanced_accuracy)
        rebalance_statistics(plain)
        found["statistics"].append(evaluate(plain, plain.split.test).balanced_accuracy)
        for name, frozen_from in (("drs", None), ("drs frozen", 32)):
            drs = trained("ce_drs", seed, frozen_from)
            found[name].append(evaluate(drs, drs.split.test).balanced_accuracy)
    for name, values in found.items():
        mean, spread = 100 * statistics.mean(values), 100 * statistics.stdev(values)
        print(f"{name:<12}{mean:5.1f} ± {spread:.1f}  (n={len(values)})")


if __name__ == "__main__":
    main()
