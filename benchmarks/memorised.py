"""How well a head on frozen features knows the rare images that it was trained on, and how well it knows others of their classes.

    $ python benchmarks/memorised.py --data ~/data --workers 2

CIFAR-100 with step imbalance at factor 100: fifty classes with 500 training images and fifty with five, on three subsets that no
suite uses. Each method trains as in the suite `frozen_cifar100_step`. Its recall is then measured on its own training images and
on the test set, averaged over the rare classes and over the frequent ones.
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from statistics import mean, stdev

METHODS = ("softmax", "over_sampling", "inverse", "ldam_drw", "logit_adjusted", "logit_adjusted_posthoc")
DRAWS = (100, 101, 102)  # suites use 0 to 14
RARE = 100  # classes with fewer training images


def recalls(job: tuple[str, int, str]) -> tuple[float, ...]:
    """Mean recall in % after training: rare classes on training images and in the test set, then frequent classes on both."""
    import torch

    from lt_core.data.trial_images import draw_images
    from lt_core.frozen.label import Frozen
    from lt_core.methods import resolve
    from lt_core.metrics import recall
    from lt_core.recipes import RECIPES
    from lt_core.spec import DataSpec, TrialSpec
    from lt_core.stages import stages_of
    from lt_core.training.evaluate import evaluate
    from lt_core.training.running import stage_context

    torch.set_num_threads(1)
    method, draw, data = job
    images = DataSpec("cifar100", imbalance_type="step", imbalance_factor=100, subset_seed=draw)
    spec = TrialSpec(images, resolve(method), RECIPES["frozen"])
    split = draw_images(spec.data, torch.device("cpu"), data, frozen=Frozen.of(spec.recipe.model)).split
    for stage in stages_of(spec).trainings(stage_context(spec, split, torch.device("cpu"))):
        while stage.training.epoch < stage.training.epochs:
            stage.training.run_epoch()
    rare = (split.counts < RARE).numpy()
    found = [100 * recall(evaluate(stage.classifier, part).confusion) for part in (split.train, split.test)]
    return tuple(float(values[classes].mean()) for classes in (rare, ~rare) for values in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()

    with ProcessPoolExecutor(given.workers) as pool:
        found = list(pool.map(recalls, [(*cell, given.data) for cell in itertools.product(METHODS, DRAWS)]))
    print(f"mean recall in %, mean ± standard deviation, n = {len(DRAWS)} subsets")
    print(f"{'':24}{'rare: training':>16}{'test':>14}{'frequent: training':>20}{'test':>14}")
    for place, method in enumerate(METHODS):
        columns = zip(*found[place * len(DRAWS) : (place + 1) * len(DRAWS)], strict=True)
        cells = [f"{mean(values):.1f} ± {stdev(values):.1f}" for values in columns]
        print(f"{method:24}{cells[0]:>16}{cells[1]:>14}{cells[2]:>20}{cells[3]:>14}")


if __name__ == "__main__":
    main()
