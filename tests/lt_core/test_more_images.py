"""Synthetic images, augmentation by class, and the range of features."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from imblearn.over_sampling import SMOTE, BorderlineSMOTE

import lt_core.methods  # noqa: F401  (registers every part)
from lt_core.parts import GROUPS
from lt_core.training.enlarge import enlarged


@pytest.mark.parametrize("name", ["smote", "borderline_smote"])
def test_classes_are_filled_up_between_their_own_images(name):
    rng = np.random.RandomState(0)
    labels = np.repeat([0, 1, 2, 3], [30, 9, 4, 1])
    points = rng.rand(44, 2) + labels[:, None] * 0.7
    grown, of = GROUPS["synthesis"][name](smote_share=0.5).fill(points, labels, seed=0)
    assert np.array_equal(grown[:44], points) and np.array_equal(of[:44], labels)
    sizes = np.bincount(of)
    assert sizes[0] == 30 and sizes[3] == 15
    if name == "smote":
        assert sizes.tolist() == [30, 15, 15, 15]
    assert (grown[of == 3] == points[43]).all(), "one image can only be repeated"
    for label in (1, 2):  # on segments between two images of the class
        mine = points[labels == label]
        for new in grown[44:][of[44:] == label]:
            ends = [(a, b) for a in mine for b in mine]
            gaps = [np.linalg.norm(new - a) + np.linalg.norm(new - b) - np.linalg.norm(a - b) for a, b in ends]
            assert min(gaps) < 1e-6


def test_filling_up_depends_on_the_seed_alone_and_nothing_is_filled_at_share_zero():
    labels = np.repeat([0, 1], [20, 5])
    points = np.random.RandomState(1).rand(25, 3)
    smote = GROUPS["synthesis"]["smote"]
    first, again, other = (smote().fill(points, labels, seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert len(smote(smote_share=0.0).fill(points, labels, 0)[0]) == 25


def test_the_tail_is_changed_more_often_than_the_head():
    counts = torch.tensor([100.0, 50.0, 1.0], dtype=torch.float64)
    change = GROUPS["augment"]["tail"](tail_strength=0.8).bind(counts)
    images = torch.rand(3000, 1, 8, 8)
    labels = torch.arange(3).repeat_interleave(1000)
    made = change(images, labels, torch.Generator().manual_seed(0))
    assert made.shape == images.shape and made.isfinite().all()
    touched = (made != images).flatten(1).any(1).view(3, 1000).double().mean(1)
    torch.testing.assert_close(touched, torch.tensor([0.0, 0.4, 0.8 * 0.99], dtype=torch.double), atol=0.05, rtol=0)
    turned = GROUPS["augment"]["tail"](tail_strength=1.0, tail_angle=0.0).bind(counts)(
        images, labels, torch.Generator().manual_seed(0)
    )
    assert not torch.equal(turned, made)


def features(*points):
    return torch.tensor(points, dtype=torch.float64, requires_grad=True)


def test_range_by_hand():
    """Class 0 has the squared distances 1, 4, 9, of which the two largest have the harmonic mean 2/(1/9 + 1/4); the centres are
    4/3 and 10.
    """
    f, y = features([0.0], [1.0], [3.0], [10.0]), torch.tensor([0, 0, 0, 1])
    intra, gap = 2 / (1 / 9 + 1 / 4), (10 - 4 / 3) ** 2
    term = GROUPS["regularizer"]["range"](range_alpha=0.5, range_beta=2.0, range_margin=100.0)
    assert term.term(f, y).item() == pytest.approx(0.5 * intra + 2.0 * (100 - gap), abs=1e-9)
    far = GROUPS["regularizer"]["range"](range_alpha=0.5, range_beta=2.0, range_margin=10.0)
    assert far.term(f, y).item() == pytest.approx(0.5 * intra, abs=1e-9)
    assert GROUPS["regularizer"]["range"](range_weight=3.0, range_alpha=0.5, range_margin=10.0).bind()(
        f, y
    ).item() == pytest.approx(3 * 0.5 * intra, abs=1e-9)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0, 0, 1, 1]])
def test_range_is_finite_with_equal_images_single_images_and_a_single_class(labels):
    f = features([1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [4.0, 0.0])
    term = GROUPS["regularizer"]["range"]().term(f, torch.tensor(labels))
    assert term.isfinite()
    (slope,) = torch.autograd.grad(term, f, allow_unused=True)
    assert slope is None or slope.isfinite().all()


@pytest.mark.parametrize(("name", "theirs"), [("smote", SMOTE), ("borderline_smote", BorderlineSMOTE)])
def test_a_class_is_given_to_imbalanced_learn_alone_and_it_makes_what_it_would_make_of_all_images(name, theirs):
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([0, 1, 2], [60, 25, 10]))
    points = (generator.normal(size=(95, 6)) + labels[:, None]).astype(np.float32)
    ours = GROUPS["synthesis"][name]().fill(points, labels, seed=3)[0][95:]
    sampled = [
        theirs(k_neighbors=5, sampling_strategy={c: 60}, random_state=3).fit_resample(points, labels)[0][95:] for c in (1, 2)
    ]
    assert all(map(len, sampled)) and np.array_equal(ours, np.concatenate(sampled))


def test_the_memory_of_smote_does_not_grow_with_classes_times_images():
    """Keeping each class's points as a view of all that imbalanced-learn returned took 49 times the images' memory here."""
    labels = np.repeat(np.arange(40), [60] + [6] * 39)
    points = np.random.default_rng(0).normal(size=(len(labels), 2000)).astype(np.float32)
    borderline = GROUPS["synthesis"]["borderline_smote"]()
    borderline.fill(points[:, :5], labels, seed=0)  # the imports are not measured
    tracemalloc.start()
    grown, _ = borderline.fill(points, labels, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * grown.nbytes


@pytest.mark.parametrize("name", ["smote", "borderline_smote"])
def test_class_sizes_beside_smote_are_those_of_real_images(name, make_split):
    """Otherwise all classes had the same size, and weights, margins and priors did nothing. A sampling draws from all images."""
    split = make_split([40, 20, 5])
    grown = enlarged(split, GROUPS["synthesis"][name](), seed=0)
    assert grown.counts.tolist() == [40, 20, 5]
    assert grown.drawn_counts.tolist() == torch.bincount(grown.train.labels).tolist() != [40, 20, 5]
