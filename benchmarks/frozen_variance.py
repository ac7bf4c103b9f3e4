"""How much a figure of the frozen track varies with the subset of the images, and how much with the seed.

    $ python benchmarks/frozen_variance.py --data ~/data --workers 2

Every method trains on five subsets with five seeds each. Within a subset only the seed varies; any further variance of the
subsets' means is due to the subset (a one-way random model: σ²_subset = (between − within)/seeds).
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor

import numpy as np

METHODS = ("softmax", "over_sampling", "ldam_drw", "logit_adjusted")
DRAWS, SEEDS = 5, 5


def accuracy(job: tuple[str, str, int, int, str]) -> float:
    """Balanced test accuracy in % of one trial at imbalance factor 100."""
    import torch

    from lt_core.methods import resolve
    from lt_core.recipes import RECIPES
    from lt_core.spec import DataSpec, TrialSpec
    from lt_core.training import Runtime, run_trial

    torch.set_num_threads(1)
    dataset, method, draw, seed, data = job
    spec = TrialSpec(
        DataSpec(dataset, imbalance_factor=100, validation=10, subset_seed=draw), resolve(method), RECIPES["frozen"], seed
    )
    return 100 * run_trial(spec, Runtime(device="cpu", data_dir=data)).metrics()["balanced_accuracy"]


def deviations(values: np.ndarray) -> tuple[float, float]:
    """Standard deviations by subset and by seed of figures [subsets, seeds].

    >>> deviations(np.array([[1.0, 3.0], [5.0, 7.0]]))  # within: 2; between: the means 2 and 6 have variance 8
    (2.6457513110645907, 1.4142135623730951)
    """
    within = values.var(axis=1, ddof=1).mean()
    between = values.mean(axis=1).var(ddof=1)
    return float(np.sqrt(max(0.0, between - within / values.shape[1]))), float(np.sqrt(within))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()

    cells = list(itertools.product(("cifar10", "cifar100"), METHODS, range(DRAWS), range(SEEDS)))
    with ProcessPoolExecutor(given.workers) as pool:
        found = list(pool.map(accuracy, [(*cell, given.data) for cell in cells]))
    print(f"balanced accuracy in %, imbalance factor 100, {DRAWS} subsets × {SEEDS} seeds: mean, deviation by subset, by seed")
    for (dataset, method), values in zip(
        itertools.product(("cifar10", "cifar100"), METHODS), np.reshape(found, (-1, DRAWS, SEEDS)), strict=True
    ):
        by_draw, by_seed = deviations(values)
        print(f"{dataset:10}{method:16}{values.mean():7.2f}{by_draw:7.2f}{by_seed:7.2f}")


if __name__ == "__main__":
    main()
