"""Scaled crops, compared with torchvision's picture by picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from lt_core.data import crops
from lt_core.data.draws import Draws, Numbers

CPU = torch.device("cpu")


def noise(count=6, height=40, width=40, channels=3):
    """Noise that is smooth enough for a wrong pixel to show, and for rounding not to show."""
    random = np.random.RandomState(0)
    coarse = torch.from_numpy(random.randint(0, 256, (count, channels, 7, 7)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255)
    return fine.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def numbers(count, seed=0):
    return Draws(count, CPU).numbers(torch.arange(count), seed)


@pytest.mark.parametrize("way", [crops._one_by_one, crops._together], ids=["one by one", "together"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [7, 24, 64], ids=["smaller", "alike", "larger"])
def test_a_box_is_scaled_as_torchvision_does(way, side, channels):
    pixels = noise(70, channels=channels)  # more images than are computed at once
    boxes = crops.random_boxes(numbers(70), 40, 40, (0.08, 1.0), (3 / 4, 4 / 3))
    flipped = torch.arange(70) % 3 == 0
    made = way(pixels, boxes, side, flipped)
    assert made.dtype == torch.uint8 and made.shape == (70, side, side, channels)
    for picture, box, mirror, mine in zip(pixels, boxes.tolist(), flipped.tolist(), made, strict=True):
        expected = tv.resized_crop(picture.permute(2, 0, 1), *box, [side, side], antialias=True)
        expected = tv.horizontal_flip(expected) if mirror else expected
        difference = (mine.permute(2, 0, 1).int() - expected.int()).abs()
        assert difference.max() <= (0 if way is crops._one_by_one else 1)


def test_boxes_are_torchvisions():
    """The same attempts give the same box: sizes from shares and ratios, and the first that fits, or else the fallback."""
    count, height, width, area, ratio = 4000, 30, 50, (0.5, 1.0), (0.5, 3.0)
    boxes = crops.random_boxes(numbers(count), height, width, area, ratio)
    drawn = numbers(count).take(crops.NUMBERS).double()
    fallbacks = 0
    for image in range(count):
        shares, ratios, place = drawn[:10, image], drawn[10:20, image], drawn[20:, image]
        for share, tried in zip(shares.tolist(), ratios.tolist(), strict=True):
            target = height * width * (area[0] + (area[1] - area[0]) * share)
            aspect = np.exp(np.log(ratio[0]) + (np.log(ratio[1]) - np.log(ratio[0])) * tried)
            w, h = round(np.sqrt(target * aspect)), round(np.sqrt(target / aspect))
            if 0 < w <= width and 0 < h <= height:
                top, left = int(place[0] * (height - h + 1)), int(place[1] * (width - w + 1))
                break
        else:
            fallbacks += 1
            top, left, h, w = 0, 0, height, width  # its ratio, 5/3, is within bounds
        assert boxes[image].tolist() == [top, left, h, w]
    assert fallbacks


@pytest.mark.parametrize(("shape", "expected"), [((90, 10), [38, 0, 13, 10]), ((10, 90), [0, 38, 10, 13])])
def test_where_no_box_fits_the_middle_is_taken(shape, expected):
    """Like torchvision's fallback, this is the largest box in the middle whose ratio is within bounds."""
    boxes = crops.random_boxes(numbers(50), *shape, (0.9, 1.0), (3 / 4, 4 / 3))
    assert boxes.tolist() == [expected] * 50


def test_areas_and_ratios_are_drawn_as_torchvisions_are():
    ours = crops.random_boxes(numbers(3000), 256, 256, (0.08, 1.0), (3 / 4, 4 / 3)).float()
    torch.manual_seed(0)
    image = torch.empty(3, 256, 256)
    crop = v2.RandomResizedCrop(224)
    drawn = [crop.make_params([image]) for _ in range(3000)]
    theirs = torch.tensor([[d[key] for key in ("top", "left", "height", "width")] for d in drawn]).float()
    assert kstest((ours[:, 2] * ours[:, 3]).numpy(), (theirs[:, 2] * theirs[:, 3]).numpy()).pvalue > 1e-3
    assert kstest((ours[:, 3] / ours[:, 2]).numpy(), (theirs[:, 3] / theirs[:, 2]).numpy()).pvalue > 1e-3
    for edge in (0, 1):
        assert kstest(ours[:, edge].numpy(), theirs[:, edge].numpy()).pvalue > 1e-3


def test_the_largest_numbers_stay_within_the_picture():
    class Largest(Numbers):
        def take(self, count):
            return torch.full((count, 1), 1 - 2.0**-24)

    for size in range(1, 400):
        top, left, height, width = crops.random_boxes(Largest(torch.zeros(1)), size, size, (0.3, 0.5), (1.0, 1.0))[0].tolist()
        assert top + height <= size and left + width <= size


@pytest.mark.parametrize(
    ("shape", "resize", "side"), [((40, 40), 32, 28), ((40, 52), 32, 27), ((53, 40), 46, 40), ((40, 40), 40, 35)]
)
def test_the_centre_is_torchvisions(shape, resize, side):
    pixels = noise(3, *shape)
    expected = tv.center_crop(tv.resize(pixels.permute(0, 3, 1, 2), [resize], antialias=True), [side, side])
    assert torch.equal(crops.centre(pixels, resize, side).permute(0, 3, 1, 2), expected)
