"""Tiny trials and splits made by hand, as `lt_core.testing` makes them; plug-in files that are forgotten when a test is over."""

from __future__ import annotations

import pytest

from tests.lt_core.tiny_backbone import frozen, frozen_spec, weights  # noqa: F401  (fixtures)


@pytest.fixture(scope="session")
def make_spec():
    """A trial of a few epochs on 240 digits (imbalance factor 10); keywords change the recipe."""
    from lt_core.testing.trials import tiny_spec

    return tiny_spec


@pytest.fixture(scope="session")
def fitting_spec():
    """As `make_spec`, with what the method cannot do without."""
    from lt_core.testing.trials import fitting_spec

    return fitting_spec


@pytest.fixture(scope="session")
def make_split():
    """A split of 8×8 grey images, each class a patch of its own in noise; all its parts are the training images."""
    from lt_core.testing.trials import split_of

    return split_of


@pytest.fixture(scope="session")
def figures():
    """All that was measured in a trial, without what depends on the clock and the machine."""
    from lt_core.testing.trials import figures_of

    return figures_of


@pytest.fixture(scope="session")
def extreme_logits():
    """Every pattern of ±10⁴ and 0 over three classes, each with every label: ([81, 3], [81])."""
    from lt_core.testing.trials import extreme_logits

    return extreme_logits()


@pytest.fixture(scope="session")
def train():
    """Takes all trainings of a trial through their epochs on a split made by hand: the last one, and all losses."""
    from lt_core.testing.trials import trained

    return trained


@pytest.fixture
def load(tmp_path):
    """Loads a plug-in file with this text; all files are forgotten when the test is over."""
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
