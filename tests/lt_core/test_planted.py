"""Digits in front of planted backgrounds: where the object is, and what the colour reveals in training and in the test set."""

from __future__ import annotations

import numpy as np
import pytest

from lt_core.data.planted import grey, read_digits_in_context
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set


def hue(images):
    """The brightness of a background's channels relative to the brightest one, which is the same for pictures of one colour."""
    background = np.where(grey(images)[..., None], np.nan, images.astype(float))
    mean = np.nanmean(background, axis=(1, 2))
    return mean / mean.max(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["digits_context80", "digits_context0", "digits_context80_9v5"])
def test_the_mask_is_the_digit_and_nothing_else(name):
    images, mask_of = load_set(name), DATASETS[name].mask
    digits = {image.tobytes() for part in (load_set("digits").train_images, load_set("digits").test_images) for image in part[:]}
    for part in (images.train_images, images.test_images):
        masks = mask_of(part[:])
        assert masks.shape == part.shape[:3]
        for image, mask in zip(part[::25], masks[::25], strict=True):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            assert mask.sum() == 64 and np.ptp(rows) == np.ptp(columns) == 7
            assert image[mask][:, 0].tobytes() in digits


@pytest.mark.parametrize(("telling", "low", "high"), [(0.8, 0.79, 0.86), (0.0, 0.07, 0.13)])
def test_the_colour_tells_the_class_in_training_alone(telling, low, high):
    """By chance, this is also true of a tenth of the others: 82 % instead of 80 %."""
    parts = read_digits_in_context(telling)
    (certain, theirs), _ = read_digits_in_context(1.0)
    own = np.stack([hue(certain[theirs == label]).mean(axis=0) for label in range(10)])
    for (pixels, labels), least, most in zip(parts, (low, 0.07), (high, 0.13), strict=True):
        told = np.abs(hue(pixels)[:, None] - own).sum(axis=2).argmin(axis=1)
        assert least < (told == labels).mean() < most
        assert len(set(told.tolist())) == 10


def test_places_and_colours_vary_within_a_class():
    (images, labels), _ = read_digits_in_context(0.0)
    zeros = images[labels == 0]
    corners = {tuple(np.argwhere(mask)[0]) for mask in grey(zeros)}
    assert len(corners) > 40
    assert hue(zeros).std(axis=0).min() > 0.2
