"""One trial of the long-tail benchmark: a specification in, a result out.

``lt_core`` depends on torch and does not know suites, Ray or tables. Importing this package does not import torch, so that
tables and command-line help start at once; importing ``lt_core.training`` does.

    >>> import dataclasses
    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> from lt_core.spec import DataSpec, TrialSpec
    >>> from lt_core.training import run_trial
    >>> data = DataSpec("digits", imbalance_factor=10, n_max=60)
    >>> recipe = dataclasses.replace(RECIPES["digits"], epochs=10)
    >>> result = run_trial(TrialSpec(data, resolve("cb_focal[gamma=2]"), recipe, seed=1))
    >>> result.status, result.train_counts
    ('ok', [60, 46, 35, 27, 21, 16, 12, 10, 7, 6])
    >>> result.metrics()["balanced_accuracy"] > 0.5
    True
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lt-bench")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0+unknown"
