"""Images that stay on disk: the same trials as with images in memory, and one sentence where all are asked for at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from lt_core.data import stored, trial_images
from lt_core.data.loader import Batches, Images
from lt_core.data.stored import Stored
from lt_core.data.trial_images import draw_images
from lt_core.errors import UserError
from lt_core.recipes import RECIPES
from lt_core.result import FAILED, OK
from lt_core.training import run_trial

CPU = torch.device("cpu")
PIXELS = np.random.RandomState(0).randint(0, 256, (50, 6, 5, 3)).astype(np.uint8)
LABELS = torch.arange(50) % 3


def on_disk(positions=None):
    return Stored(lambda at: PIXELS[at], np.arange(50) if positions is None else positions, (6, 5, 3), CPU)


@pytest.fixture
def all_on_disk(monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 0)


def test_images_are_looked_up_by_slice_and_by_position():
    backwards = on_disk(np.arange(50)[::-1])
    assert backwards.shape == (50, 6, 5, 3) and len(backwards) == 50
    assert np.array_equal(backwards[2:4], PIXELS[[47, 46]])
    assert np.array_equal(backwards[torch.tensor([[0], [49]])][:, 0], PIXELS[[49, 0]])


@pytest.mark.parametrize("change", [{"pad": 0, "flip": False}, {"pad": 2, "flip": True, "pad_with": "reflection"}])
def test_batches_are_the_same_to_the_bit(change):
    recipe = dataclasses.replace(RECIPES["cifar_ldam"], **change)
    ours, theirs = (Batches(Images(pixels, LABELS), recipe) for pixels in (on_disk(), torch.from_numpy(PIXELS)))
    positions = torch.tensor([3, 3, 49, 0])
    for ask in (lambda b, g: b.train(positions, g)[0], lambda b, g: b.pixels(positions, g), lambda b, g: b.plain(positions)):
        assert torch.equal(*(ask(batches, torch.Generator().manual_seed(1)) for batches in (ours, theirs)))


def test_moments_are_those_of_all_pixels():
    mean, deviation = on_disk().moments()
    flat = torch.from_numpy(PIXELS).reshape(-1, 3).double() / 255
    torch.testing.assert_close(mean.double(), flat.mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(deviation.double(), flat.std(0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", ["softmax", "mixup", "crt", "meta_weight_net"])
def test_a_trial_is_the_same_to_the_bit(monkeypatch, method, fitting_spec, figures):
    spec = fitting_spec(method, data={"imbalance_factor": 10, "n_max": 60, "validation": 5}, epochs=2, normalize="unit")
    expected = run_trial(spec)
    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    found = run_trial(spec)
    assert found.status == OK and figures(found) == figures(expected)


@pytest.mark.usefixtures("all_on_disk")
def test_nothing_of_the_set_is_read_before_a_batch_asks_for_it(make_spec):
    split = draw_images(make_spec(data={"imbalance_factor": 10, "n_max": 60, "validation": 2}).data, CPU).split
    assert all(isinstance(images.pixels, Stored) for images in (split.train, split.validation, split.test))
    assert trial_images.stored.IN_MEMORY == 0 and len(split.train) == len(split.train.pixels) == 240


@pytest.mark.usefixtures("all_on_disk")
@pytest.mark.parametrize("method", ["smote", "fixmatch"])
def test_a_method_that_wants_all_at_once_is_told(method, fitting_spec):
    result = run_trial(fitting_spec(method, epochs=1))
    assert result.status == FAILED and "the method asks for all images at once" in result.cause and "stay on disk" in result.cause


def test_torch_is_not_given_what_is_no_tensor():
    for ask in (lambda p: torch.cat([p, p]), lambda p: torch.sum(p), lambda p: p.flatten(1), lambda p: p.cpu()):
        with pytest.raises(UserError, match=r"asks for all images at once, and 50 of them, 0.0 GB, stay on disk"):
            ask(on_disk())
