"""Label smoothing of any loss."""

from __future__ import annotations

from torch import Tensor

from lt_core.losses.base import Loss, LossFn, WeightedLossFn


def smoothed(loss: Loss, counts: Tensor, share: float) -> tuple[LossFn, WeightedLossFn]:
    """``loss`` bound to class sizes ``counts`` [C], with the ``share`` ε of each label spread evenly over all C classes.

    The loss of an image is its mean over the smoothed label, (1 − ε)·L(z, y) + ε/C·Σ_c L(z, c). For cross-entropy this is label
    smoothing as published (Szegedy et al. 2016, section 7). The weight of an image remains that of its own label.

    >>> import torch
    >>> from lt_core.losses.cross_entropy import Softmax
    >>> logits, labels = torch.tensor([[2.0, 0.0, 1.0]]), torch.tensor([0])
    >>> loss, _ = smoothed(Softmax(), torch.tensor([5.0, 3.0, 1.0]), 0.3)
    >>> loss(logits, labels), torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.3)
    (tensor([0.7076]), tensor(0.7076))
    """
    plain, weighted = loss.bind(counts), loss.bind_weighted(counts)
    if not share:
        return plain, weighted
    every = loss.bind_every(counts)

    def mean_over(own: Tensor, outputs: Tensor, weights: Tensor) -> Tensor:
        return (1 - share) * own + share * every(outputs, weights).mean(dim=1)

    return (
        lambda outputs, labels: mean_over(plain(outputs, labels), outputs, outputs.new_ones(len(outputs))),
        lambda outputs, labels, weights: mean_over(weighted(outputs, labels, weights), outputs, weights),
    )
