"""What must hold for every correction of predictions."""

from __future__ import annotations

import torch

from lt_core.losses.cross_entropy import Sigmoid, Softmax
from lt_core.posthoc import Posthoc
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings
from lt_core.testing.losses import moderate
from lt_core.testing.trials import extreme_logits

_FIVE, _THREE = (torch.tensor(sizes, dtype=torch.float64) for sizes in ([400, 100, 37, 9, 4], [5000, 100, 1]))


@check("posthoc")
def it_gives_probabilities(posthoc: type[Posthoc]) -> None:
    """It gives each class a probability between 0 and 1, in float32 like the logits, even at logits of ±10⁴."""
    for made in settings(posthoc):
        for loss in (Softmax(), Sigmoid()):
            for logits, counts in ((moderate()[0], _FIVE), (extreme_logits()[0], _THREE)):
                found = made.probabilities(logits, loss, counts)
                words = f"{made} with {loss}: logits {list(logits.shape)} become"
                expect(found.shape == logits.shape, f"{words} probabilities of shape {list(found.shape)}")
                expect(found.dtype == torch.float32, f"{words} {found.dtype}")
                inside = found.isfinite().all() and (found >= 0).all() and (found <= 1).all()
                expect(inside, f"{words} values from {found.min():.3g} to {found.max():.3g}, some of which may be NaN")


@check("posthoc")
def it_corrects_each_image_alone(posthoc: type[Posthoc]) -> None:
    """Its result for an image does not depend on the rest of the batch, nor on chance."""
    logits, _ = moderate()
    for made in settings(posthoc):
        whole = made.probabilities(logits, Softmax(), _FIVE)
        alone = torch.cat([made.probabilities(logits[i : i + 1], Softmax(), _FIVE) for i in range(len(logits))])
        expect(
            torch.allclose(whole, alone, atol=1e-6),
            f"{made}: ten images have different probabilities in one batch than one by one",
        )
