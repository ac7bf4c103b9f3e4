from __future__ import annotations

import pytest
import torch

from lt_core.regularizer import Range


def by_masks(made, features, labels):
    """The range loss with each class looked up by masks, as committed rows were computed."""
    squared = (features[:, None, :] - features[None, :, :]).square().sum(dim=2)
    pairs = torch.where((labels[:, None] == labels).triu(diagonal=1), squared, -1.0)
    intra, centres = features.new_zeros(()), []
    for c in labels.unique():
        mine = pairs[labels == c][:, labels == c].flatten()
        largest = mine.topk(min(made.range_k, len(mine))).values
        largest = largest[largest > 0]
        if len(largest):
            intra = intra + len(largest) / (1 / largest).sum()
        one = features.new_zeros(1, features.shape[1]).index_add(0, torch.zeros_like(labels[labels == c]), features[labels == c])
        centres.append(one / (labels == c).sum())
    between = (torch.cat(centres)[:, None, :] - torch.cat(centres)[None, :, :]).square().sum(dim=2)
    nearest = between[~torch.eye(len(centres), dtype=torch.bool)].min()
    return made.range_alpha * intra + made.range_beta * (made.range_margin - nearest).relu()


@pytest.mark.parametrize("k", [1, 2, 40])
@pytest.mark.parametrize("different", [60, 7])
def test_range_loss_and_its_slope_have_the_bits_of_committed_rows(k, different):
    """With equal images, several pairs of a class have its largest distance, and the same ones must be chosen."""
    draw = torch.Generator().manual_seed(k + different)
    features = torch.randn(different, 16, generator=draw).relu()[torch.arange(60) % different]
    labels = torch.randint(0, 5, (60,), generator=draw) * 3
    ends = []
    for term in (Range(range_k=k, range_margin=100.0).term, lambda x, y: by_masks(Range(range_k=k, range_margin=100.0), x, y)):
        given = features.clone().requires_grad_()
        value = term(given, labels)
        ends.append((value, *torch.autograd.grad(value, given)))
    assert all(map(torch.equal, *ends))
