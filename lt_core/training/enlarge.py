"""A training subset with synthetic images."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from lt_core.data.loader import Images, Split
from lt_core.synthesis import NoSynthesis, Synthesis


def enlarged(split: Split, synthesis: Synthesis, seed: int) -> Split:
    """``split`` with the images that ``synthesis`` makes from it; the class sizes include them."""
    return split if isinstance(synthesis, NoSynthesis) else _enlarged(split, synthesis, seed)


@lru_cache(maxsize=1)  # the stages of a trial share it
def _enlarged(split: Split, synthesis: Synthesis, seed: int) -> Split:
    old = split.train
    points = old.pixels.flatten(1).cpu().numpy().astype(np.float32)
    made, labels = synthesis.fill(points, old.labels.cpu().numpy(), seed)
    new = torch.from_numpy(made[len(points) :]).to(old.pixels.device)
    if not old.pixels.dtype.is_floating_point:
        new = new.round().clamp(0, 255)
    known = torch.from_numpy(labels).to(old.labels)
    added = Images(new.to(old.pixels.dtype).reshape(-1, *old.pixels.shape[1:]), known[len(points) :])
    counts = split.counts + torch.bincount(added.labels, minlength=len(split.counts))
    return replace(split, train=old.followed_by(added), counts=counts)
