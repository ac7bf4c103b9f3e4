"""Images that stay on disk: the same trials as with images in memory, and one sentence if all images are requested at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lt_core.data import stored, trial_images
from lt_core.data.images import Rows
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


def test_moments_are_those_of_all_pixels(monkeypatch):
    """They are the same to the bit on disk and in memory, for any number of pieces, and agree with double precision."""
    monkeypatch.setattr(stored, "_AT_ONCE", 300)  # three images
    flat = torch.from_numpy(PIXELS).reshape(-1, 3).double() / 255
    for images in (on_disk(), torch.from_numpy(PIXELS)):
        mean, deviation = stored.moments(images)
        assert torch.equal(mean, flat.mean(0).float()) and torch.equal(deviation, flat.std(0).float())
    assert stored.moments(torch.full((9, 4, 4, 1), 77, dtype=torch.uint8))[1].item() == 0  # in float64 it is 1e-16


@pytest.mark.parametrize(("device", "size", "there"), [("cpu", 2**28, True), ("cpu", 2**28 + 1, False), ("cuda", 2**31, True)])
def test_how_much_lies_in_memory_depends_on_the_kind_of_device_alone(device, size, there):
    assert stored.stays_on_disk(size, torch.device(device)) is not there


def test_images_are_copied_a_stretch_at_a_time(monkeypatch):
    monkeypatch.setattr(stored, "_AT_ONCE", 300)
    asked: list[int] = []

    def read(at):
        asked.append(len(at))
        return PIXELS[at]

    backwards = np.arange(50)[::-1]
    assert np.array_equal(stored.copied(read, backwards, (6, 5, 3), CPU), PIXELS[::-1])
    assert sum(asked) == 50 and max(asked) == 3
    assert stored.copied(read, backwards[:0], (6, 5, 3), CPU).shape == (0, 6, 5, 3)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_images_that_were_looked_up_in_a_file_do_not_stay_in_memory(tmp_path):
    file = tmp_path / "pixels.npy"
    np.save(file, np.zeros((64, 1024, 1024, 1), dtype=np.uint8))

    def mapped() -> int:
        """KiB of mapped files that this process has in memory."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

    rows = Rows(np.load(file, mmap_mode="r"), np.arange(64))
    before = mapped()
    for position in range(64):
        rows[position : position + 1]
    assert mapped() - before < 16 * 1024  # of 64 MiB


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
    assert result.status == FAILED and "images in memory at once" in result.cause and "stay on disk" in result.cause


def test_torch_is_not_given_what_is_no_tensor():
    for ask in (lambda p: torch.cat([p, p]), lambda p: torch.sum(p), lambda p: p.flatten(1), lambda p: p.cpu()):
        with pytest.raises(UserError, match=r"needs all 50 images in memory at once, but their 0.0 GB stay on disk"):
            ask(on_disk())
