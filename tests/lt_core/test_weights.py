from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lt_core.weights import EffectiveNumber, Influence, Inverse, NoWeights

COUNTS = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], dtype=torch.float64)
SIZES = st.lists(st.integers(1, 10**6), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("beta", "golden"),
    [
        (0.9999, [0.0506, 0.0769, 0.1211, 0.1950, 0.3188, 0.5246, 0.8683, 1.4426, 2.4092, 3.9927]),
        (0.999, [0.1812, 0.1894, 0.2157, 0.2729, 0.3785, 0.5606, 0.8688, 1.3862, 2.2584, 3.6883]),
        (0.99, [0.7838, 0.7838, 0.7838, 0.7838, 0.7850, 0.8002, 0.8682, 1.0414, 1.3854, 1.9844]),
        (0.9, [0.9995] * 8 + [0.9996, 1.0046]),
    ],
)
def test_class_balanced_weights_of_cifar10(beta, golden):
    assert EffectiveNumber(cb_beta=beta).bind(COUNTS).tolist() == pytest.approx(golden, abs=6e-5)


def test_inverse_weights_of_cifar10():
    golden = [0.0402, 0.0671, 0.1120, 0.1868, 0.3119, 0.5199, 0.8672, 1.4474, 2.4239, 4.0236]
    assert Inverse().bind(COUNTS).tolist() == pytest.approx(golden, abs=6e-5)


def test_inverse_square_root_by_hand():
    """1/√n of 1, 4, 16 is 1, 1/2, 1/4, with the sum 7/4."""
    weights = Inverse(power=0.5).bind(torch.tensor([1.0, 4.0, 16.0], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([12 / 7, 6 / 7, 3 / 7], abs=1e-12)


@given(SIZES)
def test_at_beta_zero_and_power_zero_all_weights_are_exactly_one(sizes):
    counts = torch.tensor(sizes, dtype=torch.float64)
    for weights in (EffectiveNumber(cb_beta=0.0), Inverse(power=0.0), NoWeights()):
        assert weights.bind(counts).tolist() == [1.0] * len(sizes)


@given(SIZES, st.sampled_from([1e-300, 1e-12, 1e-6]))
def test_near_beta_zero_all_weights_are_nearly_one(sizes, beta):
    weights = EffectiveNumber(cb_beta=beta).bind(torch.tensor(sizes, dtype=torch.float64))
    assert weights.tolist() == pytest.approx([1.0] * len(sizes), abs=2e-6)


@pytest.mark.parametrize("beta", [1 - 1e-12, 1 - 2**-53])
def test_near_beta_one_the_weights_are_inverse_frequencies(beta):
    torch.testing.assert_close(EffectiveNumber(cb_beta=beta).bind(COUNTS), Inverse().bind(COUNTS), rtol=1e-4, atol=0)


@given(SIZES, st.floats(0, 1, exclude_max=True), st.floats(0, 3))
def test_weights_sum_to_the_number_of_classes_and_favour_the_rare(sizes, beta, power):
    counts = torch.tensor(sizes, dtype=torch.float64)
    for weights in (EffectiveNumber(cb_beta=beta), Inverse(power=power), NoWeights()):
        bound = weights.bind(counts)
        assert bound.sum().item() == pytest.approx(len(sizes), rel=1e-9)
        assert (bound > 0).all()
        rare_first = bound[counts.argsort()]
        assert (rare_first.diff() <= 1e-12 * len(sizes)).all()


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 10, generator=generator, dtype=torch.float64), torch.randint(0, 10, (64,), generator=generator)


def test_the_two_averages_differ():
    z, y = batch()
    losses, w = F.cross_entropy(z, y, reduction="none"), Inverse().bind(COUNTS)[y]
    assert not torch.isclose(Inverse(mean="images").average(losses, w), Inverse(mean="weights").average(losses, w), rtol=0.05)


def test_influence_by_hand():
    """Counts 3 and 1 have the weights 1/2 and 3/2. p = (1/4, 3/4) is 3/2 away from the first class and 1/2 from the second; ‖h‖₁
    = 4.
    """
    made = Influence(ib_alpha=10.0, ib_epsilon=0.5)
    weights = made.bind(torch.tensor([3.0, 1.0], dtype=torch.float64))
    z = torch.tensor([[0.0, math.log(3)]] * 2, dtype=torch.float64).requires_grad_()
    h = torch.tensor([[1.0, -2.0, 1.0]] * 2, dtype=torch.float64).requires_grad_()
    found = made.of_images(weights, z, h, torch.tensor([0, 1]))
    assert found.tolist() == pytest.approx([10 * 0.5 / 6.5, 10 * 1.5 / 2.5], abs=1e-12)
    assert not found.requires_grad  # a constant


def test_influence_is_exact_and_bounded_for_images_known_for_certain():
    """p_y is 1 in float32 for both, although 1 − p_y is 2e-9 for the first."""
    made, classes = Influence(), torch.tensor([0.5, 1.5])
    z, h = torch.tensor([[20.0, 0.0], [1e4, -1e4]]), torch.full((2, 4), 2.5e5)
    found = made.of_images(classes, z, h, torch.tensor([0, 0])).tolist()
    assert found == pytest.approx([5 / (2e6 * math.exp(-20) + 1e-3), 5 / 1e-3], rel=1e-5)


def test_influence_whose_gradient_goes_through_the_weight_by_hand():
    """For two classes and q = 1 − p_y, the loss is −log(1 − q)·w/(2q·H + ε). The slopes are by q, times dq/dz_y = −q(1 − q), and
    by H.
    """
    made = Influence(ib_alpha=10.0, ib_epsilon=0.5, ib_gradient="through")
    z = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64).requires_grad_()
    h = torch.tensor([[1.0, 3.0]], dtype=torch.float64).requires_grad_()
    y, q, length, w = torch.tensor([0]), 1 / 4, 4.0, 10 * 1.5
    weights = made.of_images(torch.tensor([1.5, 0.5], dtype=torch.float64), z, h, y)
    loss = made.average(F.cross_entropy(z, y, reduction="none"), weights)
    by_z, by_h = torch.autograd.grad(loss, (z, h))
    below, nll = 2 * q * length + 0.5, -math.log(1 - q)
    by_q = w * (1 / (1 - q) / below - nll * 2 * length / below**2)
    assert by_z[0].tolist() == pytest.approx([-by_q * q * (1 - q), by_q * q * (1 - q)], abs=1e-12)
    assert by_h[0].tolist() == pytest.approx([-w * nll * 2 * q / below**2] * 2, abs=1e-12)
