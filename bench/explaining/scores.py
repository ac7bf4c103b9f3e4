"""What the heat maps of a run's trials are worth: a row a trial, over the same test pictures of every class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bench.explaining.kept import network
from bench.explaining.pictures import on, sees_pictures
from bench.records.store import Store
from lt_core.data.loader import cut_for_evaluation
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.explain import Explanation
from lt_core.explain.scores import deletion, insertion, pointing, share_inside
from lt_core.result import TrialResult
from lt_core.trained import Trained
from lt_core.training.runtime import Runtime

_STEPS = 20
_AT_ONCE = 100  # pictures


def scores(
    store: Store,
    results: Sequence[TrialResult],
    explanation: Explanation,
    pictures: int,
    runtime: Runtime,
) -> pd.DataFrame:
    """A row a trial, by its id: deletion and insertion; where the set says where objects are, the shares of heat on them
    (``inside``; ``tail_inside``, on the smaller half of the classes), how often the hottest place lies there (``pointing``), and
    the objects' share of the ``area``.

    Args:
        results: trials that share their test part.
        pictures: test pictures, as many of each class; what is hidden in them has the mean colour of the training images.

    Raises:
        UserError: as `bench.explaining.pictures.sheet`.
    """
    data = results[0].spec.data.dataset
    images, mask_of = load_set(data, runtime.data_dir), DATASETS[data].mask
    positions = of_every_class(images.test_labels, pictures)
    pixels, labels = images.test_pixels(positions), np.asarray(images.test_labels[positions])
    masks = None if mask_of is None else mask_of(pixels)
    rows = {}
    for result in results:
        trained = sees_pictures(network(store, result)).to(runtime.torch_device())
        tail = np.isin(labels, smaller_half(result.train_counts))
        rows[result.trial_id] = _scored(trained, explanation, pixels, labels, masks, tail)
    return pd.DataFrame.from_dict(rows, orient="index")


def of_every_class(labels: np.ndarray, wanted: int) -> np.ndarray:
    """Positions of about ``wanted`` images, the first of each class in the set's order, of each as many; at least one.

    >>> of_every_class(np.array([0, 0, 0, 1, 1, 1]), 4).tolist()
    [0, 1, 3, 4]
    """
    classes = np.unique(labels)
    each = max(1, wanted // len(classes))
    return np.concatenate([np.flatnonzero(labels == c)[:each] for c in classes])


def smaller_half(train_counts: Sequence[int]) -> np.ndarray:
    """The classes that fewer images were trained on; of an odd number the middle one is not among them."""
    order = np.argsort(-np.asarray(train_counts), kind="stable")
    return order[-(-len(order) // 2) :]


def _scored(
    trained: Trained,
    explanation: Explanation,
    pixels: np.ndarray,
    labels: np.ndarray,
    masks: np.ndarray | None,
    tail: np.ndarray,
) -> dict[str, float]:
    found: dict[str, list[Tensor]] = {}
    for start in range(0, len(labels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        stored, sought = on(pixels[part], trained.scale.device), on(labels[part], trained.scale.device)
        heat = explanation.heat(trained, trained.images(stored), sought)
        for name, values in _of_batch(trained, trained.images(stored), sought, heat):
            found.setdefault(name, []).append(values)
        if masks is not None:
            shown = on(255 * masks[part, :, :, None].astype(np.uint8), heat.device)
            mask = cut_for_evaluation(shown, trained.spec.recipe)[..., 0] > 127
            found.setdefault("inside", []).append(share_inside(heat, mask))
            found.setdefault("pointing", []).append(pointing(heat, mask))
            found.setdefault("area", []).append(mask.float().mean(dim=(1, 2)))
    whole = {name: torch.cat(parts).cpu().numpy() for name, parts in found.items()}
    if "inside" in whole:
        whole["tail_inside"] = whole["inside"][tail]
    return {name: float(each.mean()) for name, each in whole.items()}


def _of_batch(trained: Trained, images: Tensor, labels: Tensor, heat: Tensor) -> Iterator[tuple[str, Tensor]]:
    def predict(shown: Tensor) -> Tensor:
        return trained.predicted(shown).gather(1, labels[:, None])[:, 0].float()

    grey = torch.zeros_like(images)
    yield "deletion", deletion(predict, images, heat, grey, _STEPS)
    yield "insertion", insertion(predict, images, heat, grey, _STEPS)
