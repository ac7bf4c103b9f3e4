from __future__ import annotations

import pytest
import torch

from lt_core.losses.cross_entropy import Sigmoid, Softmax
from lt_core.posthoc import LogitAdjustment, NoPosthoc, PriorDivision

COUNTS = torch.tensor([400.0, 100.0, 37.0, 9.0, 4.0], dtype=torch.float64)
PRIOR = COUNTS / COUNTS.sum()


def logits():
    return torch.randn(200, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3


@pytest.mark.parametrize("loss", [Softmax(), Sigmoid()])
@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_prior_division_divides_and_renormalises(loss, tau):
    divided = loss.probabilities(logits()) / PRIOR**tau
    expected = divided / divided.sum(1, keepdim=True)
    torch.testing.assert_close(PriorDivision(posthoc_tau=tau).probabilities(logits(), loss, COUNTS), expected)


def test_prior_division_by_hand():
    """p = (3/4, 1/4), π = (4/5, 1/5): 15/16 and 5/4, so the rare class wins 4 to 3."""
    z = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log()
    made = PriorDivision().probabilities(z, Softmax(), torch.tensor([4.0, 1.0], dtype=torch.float64))
    assert made[0].tolist() == pytest.approx([3 / 7, 4 / 7], abs=1e-12)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_logit_adjustment_is_prior_division_for_a_softmax(tau):
    adjusted = LogitAdjustment(posthoc_tau=tau).probabilities(logits(), Softmax(), COUNTS)
    divided = PriorDivision(posthoc_tau=tau).probabilities(logits(), Softmax(), COUNTS)
    torch.testing.assert_close(adjusted, divided)
    assert torch.equal(adjusted.argmax(1), divided.argmax(1))
    assert torch.equal(adjusted.argmax(1), (logits() - tau * PRIOR.log()).argmax(1))
    assert not torch.equal(adjusted.argmax(1), logits().argmax(1))


@pytest.mark.parametrize("loss", [Softmax(), Sigmoid()])
def test_tau_zero_changes_nothing_to_the_bit(loss):
    plain = NoPosthoc().probabilities(logits(), loss, COUNTS)
    for posthoc in (PriorDivision(posthoc_tau=0.0), LogitAdjustment(posthoc_tau=0.0)):
        assert torch.equal(posthoc.probabilities(logits(), loss, COUNTS), plain)
    assert torch.equal(plain, loss.probabilities(logits()))
