from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from lt_core.parts import GROUPS
from lt_core.sampling import ClassBalanced, Instance, Progressive, Reverse, SquareRoot, Under
from lt_core.schedule import Always, Deferred

COUNTS = [400, 100, 37, 9, 4]
LABELS = torch.arange(5).repeat_interleave(torch.tensor(COUNTS))[torch.randperm(550, generator=torch.Generator().manual_seed(9))]


def epochs(sampling, count=1, seed=0, progress=0.0):
    generator = torch.Generator().manual_seed(seed)
    return [sampling.epoch(LABELS, torch.tensor(COUNTS, dtype=torch.float64), generator, progress) for _ in range(count)]


def test_instance_takes_every_image_once_in_a_new_order():
    a, b = epochs(Instance(), 2)
    assert sorted(a.tolist()) == sorted(b.tolist()) == list(range(550))
    assert not torch.equal(a, b)


def test_instance_mixes_positions_uniformly():
    """The first quarter of an epoch has equally many images from each quarter of the set."""
    first = torch.cat([order[:110] for order in epochs(Instance(), 50)])
    assert chisquare(torch.bincount(first // 110, minlength=5).numpy()).pvalue > 1e-3


def test_class_balanced_draws_every_class_and_image_of_it_as_often():
    drawn = torch.cat(epochs(ClassBalanced(), 20))
    assert len(drawn) == 20 * 550
    assert chisquare(torch.bincount(LABELS[drawn]).numpy()).pvalue > 1e-3
    for label in range(5):
        mine = torch.bincount(drawn, minlength=550)[label == LABELS]
        assert chisquare(mine.numpy()).pvalue > 1e-3


def test_class_balanced_repeats_images():
    (order,) = epochs(ClassBalanced())
    assert len(order) == 550 and len(order.unique()) < 550


def test_under_takes_the_smallest_size_of_each_class_without_repeats():
    for order in epochs(Under(), 3):
        assert torch.bincount(LABELS[order]).tolist() == [4] * 5
        assert len(order.unique()) == 20


def test_under_draws_afresh_every_epoch_until_all_images_were_used():
    orders = epochs(Under(), 1500)
    assert sorted(orders[0].tolist()) != sorted(orders[1].tolist())
    used = torch.bincount(torch.cat(orders), minlength=550)
    assert (used > 0).all()
    assert chisquare(used[LABELS == 0].numpy()).pvalue > 1e-3


def test_under_does_not_walk_through_the_classes_in_order():
    (order,) = epochs(Under())
    assert LABELS[order].diff().ne(0).sum() > 5


@pytest.mark.parametrize("name", list(GROUPS["sampling"]))
def test_the_generator_alone_decides(name):
    sampling = GROUPS["sampling"][name]()
    torch.manual_seed(1)
    (a,) = epochs(sampling)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    (b,), (c,) = epochs(sampling), epochs(sampling, seed=1)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("defer", "total", "first"), [(0.8, 200, 160), (0.5, 3, 2), (0.5, 5, 2), (0.0, 10, 0), (1.0, 10, 10), (0.99, 10, 10)]
)
def test_deferred_switches_on_at_its_epoch(defer, total, first):
    schedule = Deferred(defer=defer)
    assert [schedule.rebalances(e, total) for e in range(total)] == [e >= first for e in range(total)]


def test_always_is_always():
    assert all(Always().rebalances(e, 10) for e in range(10))


@pytest.mark.parametrize(
    ("sampling", "progress", "shares"),
    [
        (SquareRoot(), 0.0, [n**0.5 for n in COUNTS]),
        (Reverse(), 0.0, [1 / n for n in COUNTS]),
        (Progressive(), 0.0, COUNTS),
        (Progressive(), 0.25, [0.75 * n / 550 + 0.25 / 5 for n in COUNTS]),
        (Progressive(), 1.0, [1.0] * 5),
    ],
)
def test_classes_are_drawn_with_their_stated_probability(sampling, progress, shares):
    drawn = torch.cat(epochs(sampling, 20, progress=progress))
    found = torch.bincount(LABELS[drawn], minlength=5).numpy()
    assert found.sum() == 20 * 550
    assert chisquare(found, [s / sum(shares) * found.sum() for s in shares]).pvalue > 1e-3


def test_bbns_reversed_sampler_on_cifar10():
    """Class probabilities ∝ 1/n_c, computed for imbalance factor 100."""
    counts = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], dtype=torch.float64)
    share = counts * Reverse().image_weights(counts, 0.0)
    golden = [0.0040, 0.0067, 0.0112, 0.0187, 0.0312, 0.0520, 0.0867, 0.1447, 0.2424, 0.4024]
    assert (share / share.sum()).tolist() == pytest.approx(golden, abs=6e-5)


def test_progress_runs_over_the_rebalanced_part():
    assert [Always().progress(e, 5) for e in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert [Deferred(defer=0.5).progress(e, 6) for e in (3, 4, 5)] == [0, 0.5, 1]
    assert Always().progress(0, 1) == 0
