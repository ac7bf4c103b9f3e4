from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lt_core.data.longtail import class_sizes, extra_indices, split_indices, split_sizes
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.spec import DataSpec

CIFAR10, CIFAR100 = [5000] * 10, [500] * 100
LABELS = np.repeat(np.arange(5), (60, 50, 70, 55, 52))[np.random.RandomState(0).permutation(287)]


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
    with pytest.raises(UserError, match="counts has 10 numbers but digits has 3 classes"):
        class_sizes(spec, [9] * 3)
    with pytest.raises(UserError, match="asks for 9 images of class 0, which has 8"):
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
    with pytest.raises(UserError, match="asks for 5001 images of class 0, which has 5000: lower n_max to 5000"):
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
    """49 · (1/49) is 0.999… in float64."""
    with pytest.raises(UserError, match="leaves class 9 without images; the largest factor that leaves one is") as error:
        class_sizes(data(imbalance_factor=n_max + 1, n_max=n_max), CIFAR10)
    largest = float(str(error.value).rsplit(" ", 1)[1])
    assert largest > n_max - 2
    assert class_sizes(data(imbalance_factor=largest, n_max=n_max), CIFAR10)[-1] == 1


def indices(factor, validation=0, subset_seed=0, n_max=50):
    """Of five classes with 50 to 70 images."""
    spec = build(
        DataSpec,
        {"dataset": "digits", "imbalance_factor": factor, "n_max": n_max, "validation": validation, "subset_seed": subset_seed},
    )
    return split_indices(spec, LABELS)


FACTORS, SEEDS, HELD = st.floats(1, 50), st.integers(0, 2**32 - 1), st.integers(0, 25)


@given(FACTORS, FACTORS, HELD, SEEDS)
def test_subsets_of_larger_factors_nest_in_those_of_smaller(a, b, validation, seed):
    small, _ = indices(min(a, b), validation, seed)
    large, _ = indices(max(a, b), validation, seed)
    assert set(large) <= set(small)


@given(FACTORS, FACTORS, HELD, SEEDS)
def test_validation_is_disjoint_balanced_and_the_same_for_all_factors(a, b, validation, seed):
    train, held = indices(a, validation, seed)
    assert not set(train) & set(held)
    assert len(set(train)) == len(train) and len(set(held)) == len(held)
    assert np.bincount(LABELS[held], minlength=5).tolist() == [validation] * 5
    assert set(held) == set(indices(b, validation, seed)[1])


@given(FACTORS, FACTORS, HELD, SEEDS, st.integers(0, 20))
def test_extra_images_are_the_same_for_all_factors_and_beyond_the_subset_where_a_class_has_some_left(a, b, held, seed, each):
    def parts(factor):
        spec = build(
            DataSpec, {"dataset": "digits", "imbalance_factor": factor, "n_max": 50, "validation": held, "subset_seed": seed}
        )
        return *split_indices(spec, LABELS), extra_indices(spec, LABELS, each)

    train, validation, extra = parts(a)
    assert np.bincount(LABELS[extra], minlength=5).tolist() == [each] * 5
    assert extra.tolist() == parts(b)[2].tolist()
    assert len(set(extra)) == len(extra) and not set(extra) & set(validation)
    sizes, pools = np.bincount(LABELS[train], minlength=5), np.bincount(LABELS)
    lent = [max(0, size + held + each - pool) for size, pool in zip(sizes, pools, strict=True)]
    assert np.bincount(LABELS[sorted(set(extra) & set(train))], minlength=5).tolist() == lent


def test_meta_weight_nets_own_subset_of_cifar_leaves_ten_images_a_class():
    """With n_max 4990 the sizes and the ten extra images are those of its code; with 5000 class 0 lends ten."""
    labels = np.repeat(np.arange(10), 5000)
    for n_max, lent in ((4990, 0), (5000, 10)):
        spec = data(imbalance_factor=100, n_max=n_max)
        train, _ = split_indices(spec, labels)
        assert len(set(train) & set(extra_indices(spec, labels, 10))) == lent
    assert class_sizes(data(imbalance_factor=100, n_max=4990), CIFAR10) == [
        4990, 2991, 1793, 1075, 644, 386, 231, 138, 83, 49,
    ]  # fmt: skip


@given(FACTORS, st.integers(1, 500))
def test_a_split_is_as_large_as_it_was_asked_to_be_or_is_refused(factor, validation):
    """A class keeps at least half of its training images: a class of s of p images can give p − s + ⌊s/2⌋."""
    spec = data("digits", imbalance_factor=factor, n_max=50, validation=validation)
    available = np.bincount(LABELS).tolist()
    asked = class_sizes(spec, available)
    largest = min(pool - size + size // 2 for size, pool in zip(asked, available, strict=True))
    if validation <= largest:
        kept, held = split_sizes(spec, available)
        assert held == validation
        assert all(k >= a / 2 and k + held <= pool for k, a, pool in zip(kept, asked, available, strict=True))
    else:
        with pytest.raises(UserError, match=f"validation {validation} asks for more .* set validation to {largest} or less"):
            split_sizes(spec, available)


def test_no_validation_split_from_a_class_of_one_image():
    spec = data("digits", imbalance_type="counts", counts=[3] * 9 + [1], validation=2)
    with pytest.raises(UserError, match=r"class 9 can give: it has 1, of which .*; set validation to 0, or lower"):
        split_sizes(spec, [3] * 9 + [1])


def test_subset_seed_changes_images_but_not_sizes():
    a, b, again = (indices(10, 5, seed) for seed in (0, 1, 0))
    for one, two, three in zip(a, b, again, strict=True):
        assert np.bincount(LABELS[one]).tolist() == np.bincount(LABELS[two]).tolist()
        assert set(one) != set(two)
        assert one.tolist() == three.tolist()


def test_the_images_of_a_seed_are_fixed_for_ever():
    train, held = indices(10, 2, 3)
    assert train[:6].tolist() == [31, 192, 104, 103, 58, 244]
    assert held.tolist() == [185, 182, 119, 91, 166, 82, 3, 89, 94, 77]
