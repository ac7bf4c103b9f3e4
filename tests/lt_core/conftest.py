"""Tiny trials and splits made by hand, as `lt_core.testing` makes them; plug-in files that are forgotten when a test is over."""

from __future__ import annotations

import pytest

from tests.lt_core.tiny_backbone import frozen, frozen_spec, weights  # noqa: F401  (fixtures)


@pytest.fixture(scope="session")
def make_spec():
    """A function that makes a trial of a few epochs on 240 digits (imbalance factor 10); keywords change the recipe."""
    from lt_core.testing.trials import tiny_spec

    return tiny_spec


@pytest.fixture(scope="session")
def fitting_spec():
    """As `make_spec`, with everything that the method needs."""
    from lt_core.testing.trials import fitting_spec

    return fitting_spec


@pytest.fixture(scope="session")
def make_split():
    """A function that makes a split of 8×8 grey images, where each class is a patch of its own in noise. Validation and test
    images are the training images.
    """
    from lt_core.testing.trials import split_of

    return split_of


@pytest.fixture(scope="session")
def figures():
    """A function that gives the figures of a trial, except for those that depend on the clock and the machine."""
    from lt_core.testing.trials import figures_of

    return figures_of


@pytest.fixture(scope="session")
def extreme_logits():
    """Every pattern of ±10⁴ and 0 over three classes, each with every label: ([81, 3], [81])."""
    from lt_core.testing.trials import extreme_logits

    return extreme_logits()


@pytest.fixture(scope="session")
def train():
    """A function that runs all trainings of a trial on a split made by hand, and gives the last training and all losses."""
    from lt_core.testing.trials import trained

    return trained


@pytest.fixture
def load(tmp_path):
    """A function that loads a plug-in file with this text. All files are forgotten when the test is over."""
    from lt_core import plugins

    before = {plugin.version for plugin in plugins.loaded()}

    def write_and_load(text, name="my_file.py"):
        path = tmp_path / name
        path.write_text(text)
        return plugins.load(path)

    yield write_and_load
    for plugin in plugins.loaded():
        if plugin.version not in before:
            plugins.forget(plugin.version)
