"""Which images a trial uses, by their role: what is true for every spec, and the exact images of one seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lt_core.data.draw import draw
from lt_core.data.unlabelled import semi_sizes
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.spec import DataSpec

#: Five classes with 50 to 70 images.
LABELS = np.repeat(np.arange(5), (60, 50, 70, 55, 52))[np.random.RandomState(0).permutation(287)]
POOLS = np.bincount(LABELS)
FACTORS, SEEDS, HELD = st.floats(1, 50), st.integers(0, 2**32 - 1), st.integers(0, 25)


def data(factor=1.0, validation=0, subset_seed=0, n_max=50, dataset="digits", **keys):
    values = {
        "dataset": dataset,
        "imbalance_factor": factor,
        "n_max": n_max,
        "validation": validation,
        "subset_seed": subset_seed,
    }
    return build(DataSpec, {**values, **keys})


@st.composite
def specs(draws):
    """Specs of every shape and protocol, some of which need more images than the five classes have."""
    keys = {"subset_seed": draws(SEEDS), "validation": draws(st.integers(0, 40))}
    kind = draws(st.sampled_from(["exp", "step", "majority", "natural", "counts"]))
    if kind != "natural":
        keys["class_order_seed"] = draws(st.none() | st.integers(0, 3))
    if kind in ("exp", "step"):
        keys |= {"imbalance_factor": draws(st.floats(1, 30)), "n_max": draws(st.integers(10, 55))}
    if kind == "counts":
        keys["counts"] = tuple(draws(st.lists(st.integers(1, 52), min_size=5, max_size=5)))
    protocol = draws(st.sampled_from(["supervised", "fraction", "ratio"]))
    if protocol == "fraction":
        keys["label_fraction"] = draws(st.floats(0.01, 0.99))
    if protocol == "ratio" and kind in ("exp", "step"):
        keys |= {"unlabelled_ratio": draws(st.floats(0.2, 2)), "unlabelled_order": draws(st.sampled_from(["same", "reversed"]))}
        keys["unlabelled_imbalance"] = draws(st.none() | st.floats(1, 30))
    return DataSpec("digits", imbalance_type=kind, **keys)


def possible(spec):
    """Whether the five classes have enough images for ``spec``."""
    try:
        semi_sizes(spec, POOLS.tolist())
    except UserError:
        return False
    return True


def sizes(positions):
    return np.bincount(LABELS[sorted(positions)], minlength=5).tolist()


@given(specs(), st.integers(0, 20))
def test_a_draw_has_the_sizes_that_its_spec_plans_or_is_refused_in_the_same_words(spec, extra):
    try:
        labelled, unlabelled = semi_sizes(spec, POOLS.tolist())
    except UserError as error:
        with pytest.raises(UserError) as refused:
            draw(spec, LABELS, extra)
        assert str(refused.value) == str(error)
        return
    drawn = draw(spec, LABELS, extra)
    assert sizes(drawn.train) == list(drawn.counts) == labelled and min(labelled) >= 1
    assert sizes(drawn.unlabelled) == unlabelled
    assert sizes(drawn.validation) == [spec.validation] * 5
    assert sizes(drawn.extra) == [min(extra, pool - spec.validation) for pool in POOLS]


@given(specs(), st.integers(0, 20))
def test_only_extra_images_have_a_second_role_and_only_where_a_class_has_none_left(spec, extra):
    assume(possible(spec))
    drawn = draw(spec, LABELS, extra)
    for role in (drawn.train, drawn.unlabelled, drawn.validation, drawn.extra):
        assert role.dtype == np.int64 and len(set(role)) == len(role)
    used, held = set(drawn.train) | set(drawn.unlabelled), set(drawn.validation)
    assert len(used) == len(drawn.train) + len(drawn.unlabelled)
    assert not held & (used | set(drawn.extra))
    needed = np.add(sizes(used), sizes(drawn.extra)) + spec.validation
    assert sizes(used & set(drawn.extra)) == np.maximum(0, needed - POOLS).tolist()


@given(specs(), specs())
def test_of_two_draws_of_a_seed_one_holds_the_other_class_by_class(one, other):
    """For any shapes and protocols, labelled images come first in a class's order, and so do all images that are not held out."""
    other = replace(other, subset_seed=one.subset_seed)
    assume(possible(one) and possible(other))
    a, b = draw(one, LABELS, 5), draw(other, LABELS, 5)
    pairs = (
        (a.train, b.train),
        (np.append(a.train, a.unlabelled), np.append(b.train, b.unlabelled)),
        (a.validation, b.validation),
    )
    for mine, theirs in pairs:
        for label in range(5):
            small, large = sorted((set(p[LABELS[p] == label]) for p in (mine, theirs)), key=len)
            assert small <= large
    if one.validation == other.validation:
        assert a.extra.tolist() == b.extra.tolist() and a.validation.tolist() == b.validation.tolist()


@given(specs(), st.integers(1, 20))
def test_what_a_trial_trains_on_does_not_depend_on_extra_images(spec, extra):
    assume(possible(spec))
    plain, more = draw(spec, LABELS), draw(spec, LABELS, extra)
    for role in ("train", "unlabelled", "validation"):
        assert getattr(plain, role).tolist() == getattr(more, role).tolist()
    assert not len(plain.extra) and plain.fingerprint == more.fingerprint


@given(specs())
def test_a_fraction_of_a_subset_takes_labels_away_and_no_images(spec):
    assume(spec.label_fraction < 1 and possible(spec))
    whole, part = draw(spec.without_unlabelled(), LABELS), draw(spec, LABELS)
    assert set(part.train) | set(part.unlabelled) == set(whole.train)


@given(specs(), st.integers(0, 4))
def test_a_class_is_drawn_from_its_own_images_alone(spec, label):
    """If images of other classes change places, this class's images are drawn as before."""
    assume(possible(spec))
    others = label != LABELS
    moved = LABELS.copy()
    moved[others] = np.random.RandomState(1).permutation(LABELS[others])
    before, after = draw(spec, LABELS, 3), draw(spec, moved, 3)
    for role in ("train", "unlabelled", "validation", "extra"):
        a, b = getattr(before, role), getattr(after, role)
        assert a[LABELS[a] == label].tolist() == b[moved[b] == label].tolist()


@given(FACTORS, FACTORS, HELD, SEEDS)
def test_subsets_of_larger_factors_nest_in_those_of_smaller(a, b, validation, seed):
    small, large = (draw(data(factor, validation, seed), LABELS).train for factor in (min(a, b), max(a, b)))
    assert set(large) <= set(small)


@given(FACTORS, FACTORS, HELD, SEEDS)
def test_validation_is_disjoint_balanced_and_the_same_for_all_factors(a, b, validation, seed):
    drawn = draw(data(a, validation, seed), LABELS)
    train, held = drawn.train, drawn.validation
    assert not set(train) & set(held)
    assert len(set(train)) == len(train) and len(set(held)) == len(held)
    assert sizes(held) == [validation] * 5
    assert set(held) == set(draw(data(b, validation, seed), LABELS).validation)


@given(FACTORS, FACTORS, HELD, SEEDS, st.integers(0, 20))
def test_extra_images_are_the_same_for_all_factors_and_beyond_the_subset_where_a_class_has_some_left(a, b, held, seed, each):
    drawn, other = (draw(data(factor, held, seed), LABELS, each) for factor in (a, b))
    assert sizes(drawn.extra) == [each] * 5
    assert drawn.extra.tolist() == other.extra.tolist()
    assert len(set(drawn.extra)) == len(drawn.extra) and not set(drawn.extra) & set(drawn.validation)
    lent = [max(0, size + held + each - pool) for size, pool in zip(drawn.counts, POOLS, strict=True)]
    assert sizes(set(drawn.extra) & set(drawn.train)) == lent


def test_meta_weight_nets_own_subset_of_cifar_leaves_ten_images_a_class():
    """With n_max 4990, the sizes and the ten extra images are those of its code; with 5000, class 0 gives up ten."""
    labels = np.repeat(np.arange(10), 5000)
    for n_max, lent in ((4990, 0), (5000, 10)):
        drawn = draw(data(100, n_max=n_max, dataset="cifar10"), labels, 10)
        assert len(set(drawn.train) & set(drawn.extra)) == lent
        if not lent:
            assert drawn.counts == (4990, 2991, 1793, 1075, 644, 386, 231, 138, 83, 49)


def test_subset_seed_changes_images_but_not_sizes():
    one, two, again = (draw(data(10, 5, seed), LABELS, 5) for seed in (0, 1, 0))
    for role in ("train", "validation", "extra"):
        a, b, c = (getattr(drawn, role) for drawn in (one, two, again))
        assert sizes(a) == sizes(b)
        assert set(a) != set(b)
        assert a.tolist() == c.tolist()
    assert one.fingerprint == again.fingerprint != two.fingerprint


def test_folds_are_draws_of_the_subset_seed():
    folds = [set(draw(data(10, subset_seed=seed, label_fraction=0.3), LABELS).train) for seed in (0, 1)]
    assert folds[0] != folds[1]


def test_the_images_of_a_seed_are_fixed_for_ever():
    drawn = draw(data(10, 2, 3), LABELS)
    assert drawn.train[:6].tolist() == [31, 192, 104, 103, 58, 244]
    assert drawn.validation.tolist() == [185, 182, 119, 91, 166, 82, 3, 89, 94, 77]
    semi = draw(data(10, 2, 3, n_max=40, label_fraction=0.5), LABELS, 2)
    assert semi.unlabelled[-9:].tolist() == [213, 243, 162, 61, 256, 16, 281, 164, 143]
    assert semi.extra.tolist() == [106, 245, 150, 218, 171, 130, 167, 279, 214, 282]
    reversed_ = draw(data(10, 2, 3, n_max=20, unlabelled_ratio=1.5, unlabelled_order="reversed"), LABELS)
    assert reversed_.unlabelled[:8].tolist() == [79, 147, 12, 116, 261, 34, 98, 40]
