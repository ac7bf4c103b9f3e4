"""Five studies of digits_cb compared with the fixed grid of the paper; each study has half as many trials as the grid.

    python benchmarks/tuning.py [--sampler tpe] [--out DIR]

The grid has 20 settings: loss × β in {0.9, 0.99, 0.999, 0.9999} × γ in {0.5, 1, 2} for focal. A study has 10 settings, of which
the first is the paper's. Both are judged by mean balanced accuracy on the validation split over three seeds, and then, on five
fresh seeds, on the validation split and on the test set, because only fresh seeds can show which of two noisy searches found
more.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from common import parser

from bench.records.store import Store
from bench.running.backends.inline import Inline
from bench.running.machines import Machines
from bench.tuning import driver as tuning
from bench.tuning import summary, winners
from bench.tuning.space import load_space
from lt_core.training.runtime import Runtime

STUDIES, FRESH = 5, 5


def inline() -> Machines:
    """Trials run in this process."""
    return Machines(Inline(), Runtime())


def search(out: Path, name: str, seed: int, **changes: object) -> tuple[float, float, float, str]:
    """The best validation score of a study, the validation and test scores of its winner on fresh seeds, and the setting."""
    space = load_space("digits_cb", fresh_seeds=FRESH, **changes)
    space = type(space)(**{**vars(space), "name": name, "studies": space.studies[:1]})
    store = Store.create(out / "run")  # shared, so that no study repeats the trials of another
    (one,) = tuning.tune(space, store, inline, seed=seed, say=lambda words: None)
    found = winners.winner(one)
    winners.confirm(space, [found], store, inline)
    _, chosen = summary.table(space, [found], store).rows
    means = [cell.mean for cell in chosen.cells[1:4]]
    assert all(mean is not None for mean in means)
    return means[0], means[1], means[2], chosen.cells[0].text  # type: ignore[return-value]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--sampler", default="tpe", help="sampler of the studies (default tpe)")
    arguments.add_argument("--out", type=Path, help="folder in which to keep the trials, and to continue from them")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        grid = search(out, "grid", 0, sampler="grid", trials=0)
        found = [search(out, f"{given.sampler}_{seed}", seed, sampler=given.sampler, trials=10) for seed in range(STUDIES)]
    print(
        f"grid of 20 settings   validation {grid[0]:.2f}, fresh seeds: validation {grid[1]:.2f}, test {grid[2]:.2f}   {grid[3]}"
    )
    for one in found:
        print(
            f"study of 10 settings  validation {one[0]:.2f}, fresh seeds: validation {one[1]:.2f}, test {one[2]:.2f}   {one[3]}"
        )
    words = []
    for place in range(3):
        values = [one[place] for one in found]
        words.append(f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}")
    print(f"mean of {STUDIES} studies      validation {words[0]}, fresh seeds: validation {words[1]}, test {words[2]}")
    print(f"studies that reach the grid's best validation score: {sum(one[0] >= grid[0] for one in found)} of {STUDIES}")


if __name__ == "__main__":
    main()
