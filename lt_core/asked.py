"""The output of a trained classifier on many pictures, computed in batches that fit into memory, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from lt_core.data.loader import cut_for_evaluation
from lt_core.errors import UserError
from lt_core.explain import Explanation
from lt_core.explain.scores import deletion, insertion, pointing, share_inside
from lt_core.features import BATCH, PIXELS
from lt_core.frozen.label import Frozen
from lt_core.trained import Trained

#: Positions of pictures [n] → their pixels, uint8 [n, H, W, channels].
Read = Callable[[np.ndarray], np.ndarray]
_STEPS = 20  # steps in which deletion and insertion change all places
_AT_ONCE = 100  # pictures that are scored at once


def sees_pictures(trained: Trained) -> Trained:
    """``trained``, if its network is given pictures.

    Raises:
        UserError: its trial belongs to the frozen track, where networks are given features.
    """
    if Frozen.of(trained.spec.recipe.model):
        raise UserError(
            f"{trained.spec.method.label}: a trial of the frozen track is given features of pictures and keeps no network that "
            "sees pictures: name a method whose backbone is trained"
        )
    return trained


def probabilities(trained: Trained, read: Read, count: int) -> np.ndarray:
    """Class probabilities [count, C] of the pictures at positions from 0 on, as the trial predicted."""
    return np.concatenate([trained(pixels).cpu().numpy() for pixels in _batches(trained, read, count)])


def features(trained: Trained, read: Read, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [count, C] and features [count, d] of the pictures at positions from 0 on, in float32.

    Raises:
        UserError: the classifier is an ensemble of networks, which do not share features.
    """
    if not trained.network.width:
        raise UserError(f"{trained.spec.method.label} is an ensemble, whose networks do not share features: name other methods")
    with torch.no_grad():
        made = [trained.said(trained.images(pixels)) for pixels in _batches(trained, read, count)]
    logits, found = (torch.cat(parts).cpu().numpy() for parts in zip(*made, strict=True))
    return logits, found


def slopes(trained: Trained, at: np.ndarray) -> np.ndarray:
    """The gradients of the logits with respect to the features, [C, d], at features ``at`` [d]: the weights, if the classifier
    is linear.
    """

    def logits(point: Tensor) -> Tensor:
        return trained.loss.logits(trained.network.classify(point[None]).float())[0]

    found = torch.autograd.functional.jacobian(logits, torch.from_numpy(at).float().to(trained.scale.device))
    return np.asarray(found.cpu().numpy())


def shown(trained: Trained, pixels: np.ndarray) -> np.ndarray:
    """The part of stored ``pixels`` uint8 [N, H, W, channels] that the network sees: all of it, or the centre."""
    return np.asarray(cut_for_evaluation(torch.from_numpy(pixels), trained.spec.recipe).numpy())


def heat(trained: Trained, explanation: Explanation, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How important each place of a picture is for the given class: float32 [N, H, W], at the size that the network sees.

    Args:
        pixels: uint8 [N, H, W, channels], as they are stored.
        labels: int [N], the class to explain for each picture.

    Raises:
        UserError: this kind of explanation cannot be applied to the network.
    """
    images = trained.images(_on(trained, pixels))
    return np.asarray(explanation.heat(trained, images, _on(trained, labels)).cpu().numpy())


def places(trained: Trained, explanation: Explanation, pixels: np.ndarray) -> tuple[int, int]:
    """Rows and columns of a heat map before it is enlarged to the size of the pictures; arguments and errors as in `heat`."""
    return explanation.places(trained, trained.images(_on(trained, pixels[:1])))


def scores(
    trained: Trained, explanation: Explanation, pixels: np.ndarray, labels: np.ndarray, masks: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Scores of each picture's map, [N] each: ``deletion`` and ``insertion``, where hidden pixels get the mean colour of the
    training images; with masks also the share of heat ``inside`` the object, ``pointing``, and the object's share of the picture,
    ``area``.

    Args:
        pixels, labels: as in `heat`.
        masks: bool [N, H, W], where the object is in the stored pictures; None if that is unknown.

    Raises:
        UserError: see `heat`.
    """
    parts: list[dict[str, Tensor]] = []
    for start in range(0, len(labels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        images, sought = trained.images(_on(trained, pixels[part])), _on(trained, labels[part])
        found = explanation.heat(trained, images, sought)
        parts.append(_of_batch(trained, images, sought, found))
        if masks is not None:
            shown = _on(trained, 255 * masks[part, :, :, None].astype(np.uint8))
            mask = cut_for_evaluation(shown, trained.spec.recipe)[..., 0] > 127
            parts[-1] |= {
                "inside": share_inside(found, mask),
                "pointing": pointing(found, mask),
                "area": mask.float().mean(dim=(1, 2)),
            }
    return {name: torch.cat([made[name] for made in parts]).cpu().numpy() for name in parts[0]}


def _of_batch(trained: Trained, images: Tensor, labels: Tensor, found: Tensor) -> dict[str, Tensor]:
    def predict(shown: Tensor) -> Tensor:
        return trained.predicted(shown).gather(1, labels[:, None])[:, 0].float()

    hidden = torch.zeros_like(images)
    areas = (score(predict, images, found, hidden, _STEPS) for score in (deletion, insertion))
    return dict(zip(("deletion", "insertion"), areas, strict=True))


def _batches(trained: Trained, read: Read, count: int) -> Iterator[Tensor]:
    at_once = max(1, min(BATCH, PIXELS // (trained.shape[0] * trained.shape[1])))
    for start in range(0, count, at_once):
        yield _on(trained, read(np.arange(start, min(start + at_once, count))))


def _on(trained: Trained, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(trained.scale.device)
