from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lt_core.data.longtail import class_sizes, subset_sizes
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.spec import DataSpec

CIFAR10, CIFAR100 = [5000] * 10, [500] * 100


def data(dataset="cifar10", **keys):
    return build(DataSpec, {"dataset": dataset, **keys})


@pytest.mark.parametrize(
    ("factor", "counts"),
    [
        (1, [5000] * 10),
        (10, [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]),
        (20, [5000, 3584, 2569, 1842, 1320, 946, 678, 486, 348, 250]),
        (50, [5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100]),
        (100, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]),
        (200, [5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25]),
    ],
)
def test_cifar10_counts_are_those_of_the_public_code(factor, counts):
    assert class_sizes(data(imbalance_factor=factor), CIFAR10) == counts


@pytest.mark.parametrize(
    ("factor", "total", "head", "tail"),
    [
        (10, 19573, [500, 488, 477, 466], [54, 53, 52, 51, 50]),
        (20, 15907, [500, 485, 470, 456], [28, 27, 26, 25, 25]),
        (50, 12608, [500, 480, 462, 444], [11, 11, 10, 10, 10]),
        (100, 10847, [500, 477, 455, 434], [6, 5, 5, 5, 5]),
        (200, 9502, [500, 473, 449, 425], [3, 2, 2, 2, 2]),
    ],
)
def test_cifar100_counts_are_those_of_the_public_code(factor, total, head, tail):
    counts = class_sizes(data("cifar100", imbalance_factor=factor), CIFAR100)
    assert (sum(counts), counts[:4], counts[-5:]) == (total, head, tail)


@pytest.mark.parametrize(("factor", "total"), [(100, 25_250), (10, 27_500)])
def test_step_keeps_half_the_classes_whole(factor, total):
    for dataset, available in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        counts = class_sizes(data(dataset, imbalance_type="step", imbalance_factor=factor), available)
        half = len(available) // 2
        assert sum(counts) == total
        assert counts == [available[0]] * half + [available[0] // factor] * half


def test_majority_keeps_nine_tenths_of_one_class_and_a_tenth_of_the_others():
    available = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    counts = class_sizes(data("mnist", imbalance_type="majority"), available)
    assert counts == [5330, 674, 595, 613, 584, 542, 591, 626, 585, 594]


def test_natural_keeps_all():
    assert class_sizes(data("digits", imbalance_type="natural"), [7, 9, 8]) == [7, 9, 8]


def test_counts_are_taken_as_written():
    spec = data("digits", imbalance_type="counts", counts=[9, 8, 7, 6, 5, 4, 3, 2, 1, 1])
    assert class_sizes(spec, [9] * 10) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 1]
    with pytest.raises(UserError, match="counts has 10 numbers, but digits has 3 classes"):
        class_sizes(spec, [9] * 3)
    with pytest.raises(UserError, match="needs 9 images of class 0, which has only 8"):
        class_sizes(spec, [8] * 10)


@pytest.mark.parametrize(
    "keys",
    [{"imbalance_factor": 100}, {"imbalance_type": "step", "imbalance_factor": 10}, {"imbalance_type": "majority"}],
)
def test_class_order_seed_only_permutes_the_classes(keys):
    plain = class_sizes(data(**keys), CIFAR10)
    orders = [class_sizes(data(**keys, class_order_seed=seed), CIFAR10) for seed in range(4)]
    assert all(sorted(o) == sorted(plain) for o in orders)
    assert len({tuple(o) for o in orders}) > 1
    assert orders[0] == class_sizes(data(**keys, class_order_seed=0), CIFAR10)


def test_n_max_scales_the_profile():
    assert class_sizes(data(imbalance_factor=100, n_max=4990), CIFAR10)[:3] == [4990, 2991, 1793]
    with pytest.raises(UserError, match="needs 5001 images of class 0, which has only 5000: lower n_max to 5000"):
        class_sizes(data(n_max=5001), CIFAR10)


@given(st.sampled_from(["exp", "step"]), st.integers(1, 400), st.floats(1, 2000))
def test_a_tail_without_images_is_refused_with_a_factor_that_works(kind, n_max, factor):
    spec = data(imbalance_type=kind, imbalance_factor=factor, n_max=n_max)
    try:
        sizes = class_sizes(spec, CIFAR10)
    except UserError as error:
        text = str(error)
        assert "leaves class " in text and "without images" in text
        largest = float(text.rsplit(" ", 1)[1])
        assert largest < factor
        assert min(class_sizes(data(imbalance_type=kind, imbalance_factor=largest, n_max=n_max), CIFAR10)) >= 1
    else:
        assert min(sizes) >= 1 and max(sizes) == n_max


@pytest.mark.parametrize("n_max", [49, 50, 98, 103])
def test_the_factor_that_is_proposed_leaves_the_tail_an_image(n_max):
    """In float64, 49 · (1/49) is 0.999…"""
    with pytest.raises(UserError, match="leaves class 9 without images: the largest factor that leaves one image is") as error:
        class_sizes(data(imbalance_factor=n_max + 1, n_max=n_max), CIFAR10)
    largest = float(str(error.value).rsplit(" ", 1)[1])
    assert largest > n_max - 2
    assert class_sizes(data(imbalance_factor=largest, n_max=n_max), CIFAR10)[-1] == 1


@given(st.floats(1, 50), st.integers(1, 500))
def test_a_split_is_as_large_as_it_was_asked_to_be_or_is_refused(factor, validation):
    """A class keeps at least half of its training images, so a class that uses s of p images can give p − s + ⌊s/2⌋."""
    spec = data("digits", imbalance_factor=factor, n_max=50, validation=validation)
    available = [60, 50, 70, 55, 52]
    asked = class_sizes(spec, available)
    largest = min(pool - size + size // 2 for size, pool in zip(asked, available, strict=True))
    if validation <= largest:
        kept = subset_sizes(spec, available)
        assert all(k >= a / 2 and k + validation <= pool for k, a, pool in zip(kept, asked, available, strict=True))
    else:
        with pytest.raises(UserError, match=f"validation {validation} needs more .* set validation to {largest} or less"):
            subset_sizes(spec, available)


def test_no_validation_split_from_a_class_of_one_image():
    spec = data("digits", imbalance_type="counts", counts=[3] * 9 + [1], validation=2)
    with pytest.raises(UserError, match=r"class 9 can spare: it has 1, of which .*; set validation to 0, or lower"):
        subset_sizes(spec, [3] * 9 + [1])
