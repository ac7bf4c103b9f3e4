"""The images of a trial: they are drawn once and gathered once, from a set that need not be in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lt_core.data import draw as draws
from lt_core.data import sources, trial_images
from lt_core.data.draw import draw
from lt_core.data.trial_images import draw_images
from lt_core.training import run_trial

CPU = torch.device("cpu")


def test_a_split_holds_what_the_spec_asks_for(make_spec):
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "validation": 5}).data
    images = draw_images(spec, CPU)
    split = images.split
    assert split.counts.tolist() == [60, 46, 35, 27, 21, 16, 12, 10, 7, 6] and split.counts.dtype == torch.float64
    assert torch.bincount(split.train.labels).tolist() == split.counts.tolist()
    assert torch.bincount(split.validation.labels).tolist() == [5] * 10
    assert len(split.test) == 500
    assert split.shape == split.train.pixels.shape[1:] == (8, 8, 1)
    assert split.unlabelled is split.extra is images.hidden is None
    train, held = ({bytes(p.flatten().tolist()) for p in part.pixels} for part in (split.train, split.validation))
    assert not train & held


def test_each_role_has_the_pixels_and_labels_of_its_positions(make_spec):
    """They are in the order in which they were drawn, which is that of the first labelled images of each class."""
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "validation": 5, "label_fraction": 0.5}).data
    whole = sources.load_set("digits")
    split, chosen = draw_images(spec, CPU, None, 4).split, draw(spec, whole.train_labels, 4)
    for role in ("train", "validation", "extra"):
        images, positions = getattr(split, role), getattr(chosen, role)
        assert np.array_equal(images.pixels, whole.train_images[positions])
        assert np.array_equal(images.labels, whole.train_labels[positions])
    assert np.array_equal(split.unlabelled.pixels, whole.train_images[chosen.unlabelled])
    assert (split.unlabelled.labels == -1).all()
    assert np.array_equal(split.test.pixels, whole.test_images) and np.array_equal(split.test.labels, whole.test_labels)


def test_fingerprints_tell_sets_and_subsets_apart(make_spec):
    keys = {"imbalance_factor": 10, "n_max": 60}
    a, b, c = (draw_images(make_spec(data={**keys, **k}).data, CPU) for k in ({}, {"subset_seed": 1}, {"validation": 1}))
    assert a.fingerprint == b.fingerprint == c.fingerprint
    assert a.subset_fingerprint != b.subset_fingerprint
    assert a.subset_fingerprint == c.subset_fingerprint  # 70 images are left for validation, so the training images stay the same


def test_trials_share_a_set_and_nothing_that_they_could_write_into(make_spec):
    spec = make_spec().data
    sources.load_set.cache_clear()  # as in a fresh process
    first = draw_images(spec, CPU)
    first.split.train.pixels.zero_()
    first.split.test.labels.zero_()
    second, whole = draw_images(spec, CPU), sources.load_set("digits", None)
    assert sources.load_set.cache_info().misses == 1
    assert second.split.train.pixels.any() and np.array_equal(second.split.test.labels, whole.test_labels)


@pytest.mark.parametrize("method", ["softmax", "crest", "meta_weight_net"])
def test_a_trial_looks_for_its_set_once_and_puts_each_class_into_order_once(fitting_spec, monkeypatch, method):
    seeded, loaded = [], []
    real_state, real_load = np.random.RandomState, trial_images.load_set

    def state(seed):
        seeded.append(seed)
        return real_state(seed)

    def load(*args):
        loaded.append(args)
        return real_load(*args)

    monkeypatch.setattr(draws.np.random, "RandomState", state)
    monkeypatch.setattr(trial_images, "load_set", load)
    spec = fitting_spec(method, data={"imbalance_factor": 10, "n_max": 60, "validation": 5}, steps=2, epochs=1)
    result = run_trial(spec)
    assert result.status == "ok", result.traceback
    assert loaded == [("digits", None)]
    assert [seed for seed in seeded if isinstance(seed, list)] == [[0, label] for label in range(10)]


def test_only_the_images_of_a_trial_are_asked_for(make_spec, monkeypatch):
    """The set has no array of pixels, and decodes an image when it is requested."""
    whole = sources.load_set("digits")

    class Lazy:
        """A set without an array of pixels, but with labels, a fingerprint, and pixels by position."""

        train_labels, test_labels, fingerprint, shape = whole.train_labels, whole.test_labels, "lazy", whole.shape

        def __init__(self):
            self.decoded = []

        def train_pixels(self, positions):
            self.decoded += positions.tolist()
            return np.stack([whole.train_images[i] for i in positions]) if len(positions) else whole.train_images[:0].copy()

        def test_pixels(self, positions=None):
            return np.stack([whole.test_images[i] for i in positions])

    lazy = Lazy()
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "validation": 2, "label_fraction": 0.5}).data
    expected = draw_images(spec, CPU).split
    monkeypatch.setattr(trial_images, "load_set", lambda *args: lazy)
    images = draw_images(spec, CPU)
    assert torch.equal(images.split.train.pixels, expected.train.pixels) and images.fingerprint == "lazy"
    assert torch.equal(images.split.unlabelled.pixels, expected.unlabelled.pixels)
    drawn = draw(spec, whole.train_labels)
    assert sorted(lazy.decoded) == sorted([*drawn.train, *drawn.unlabelled, *drawn.validation]), "each once, and no other"
