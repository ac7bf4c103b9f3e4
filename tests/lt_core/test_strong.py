"""Every operation compared with torchvision's, and which random numbers each image gets."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms.v2 import functional as V

from lt_core.data import strong_ops as ops
from lt_core.data.loader import Batches, Images
from lt_core.data.strong import StrongAugment
from lt_core.data.strong_pools import POOLS, Pool
from lt_core.recipes import RECIPES

NEAREST = V.InterpolationMode.NEAREST
WHOLE = (
    "identity",
    "equalize",
    "invert",
    "posterize",
    "solarize",
    "translate_x",
    "translate_y",
)  # whole numbers, without rounding


MAGNITUDES = {
    "brightness": (0.05, 1.9), "color": (0.05, 1.9), "contrast": (0.05, 1.9), "sharpness": (0.05, 1.9), "posterize": (1, 8),
    "solarize": (0, 255), "rotate": (-30, 30), "shear_x": (-0.3, 0.3), "shear_y": (-0.3, 0.3), "translate_x": (-0.3, 0.3),
    "translate_y": (-0.3, 0.3),
}  # fmt: skip
OPERATIONS = [getattr(ops, name) for name in ("identity", "autocontrast", "equalize", "invert", *MAGNITUDES)]
OURS_ALONE = [ops.solarize_add, ops.add_and_solarize, ops.patch]  # torchvision does not have them


def magnitudes(operation, count, draw):
    low, high = MAGNITUDES.get(operation.__name__, (0, 1))
    values = low + (high - low) * torch.rand(count, generator=draw)
    return values.floor() if operation.__name__ in ("posterize", "solarize") else values


def theirs(name, image, m):
    """torchvision's result for one image [channels, H, W] at magnitude ``m``."""
    side, degrees = image.shape[1], math.degrees(math.atan(m))
    moved = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], "interpolation": NEAREST, "fill": ops.GREY}
    return {
        "identity": lambda: image,
        "autocontrast": lambda: V.autocontrast(image),
        "equalize": lambda: V.equalize(image),
        "invert": lambda: V.invert(image),
        "brightness": lambda: V.adjust_brightness(image, m),
        "color": lambda: V.adjust_saturation(image, m),
        "contrast": lambda: V.adjust_contrast(image, m),
        "sharpness": lambda: V.adjust_sharpness(image, m),
        "posterize": lambda: V.posterize(image, int(m)),
        "solarize": lambda: V.solarize(image, m),
        "rotate": lambda: V.rotate(image, m, NEAREST, fill=ops.GREY),
        "shear_x": lambda: V.affine(image, **{**moved, "shear": [degrees, 0.0], "center": [0, 0]}),
        "shear_y": lambda: V.affine(image, **{**moved, "shear": [0.0, degrees], "center": [0, 0]}),
        "translate_x": lambda: V.affine(image, **{**moved, "translate": [-round(m * side), 0]}),
        "translate_y": lambda: V.affine(image, **{**moved, "translate": [0, -round(m * side)]}),
    }[name]()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1), (8, 1)])
def test_an_operation_is_torchvisions(operation, side, channels):
    draw = torch.Generator().manual_seed(side)
    base = torch.randint(0, 256, (24, side // 4, side // 4, channels), generator=draw)
    pixels = base.repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)  # patches, so that a shifted pixel is noticed
    pixels[0], pixels[1] = 77, torch.randint(0, 256, pixels[1].shape, generator=draw)
    drawn = magnitudes(operation, 24, draw)
    ours, wrong = operation(pixels, drawn), 0
    assert ours.dtype == torch.uint8 and ours.shape == pixels.shape
    for mine, image, m in zip(ours, pixels, drawn.tolist(), strict=True):
        expected = theirs(operation.__name__, image.permute(2, 0, 1), m).permute(1, 2, 0)
        off = (mine.int() - expected.int()).abs()
        if operation.__name__ in ("rotate", "shear_x", "shear_y"):
            wrong += int((off > 0).any(2).sum())
        else:
            assert off.max() <= 1  # float32 may truncate to the neighbouring grey level
            assert operation.__name__ not in WHOLE or off.max() == 0
            assert (off > 0).float().mean() <= 0.02
    # A source position that is within rounding of a pixel's edge may fall on either side, and in a shear this affects a whole
    # row: one row of one of 24 images.
    assert wrong <= side


def test_what_torchvision_has_not_by_hand():
    x = torch.tensor([0, 100, 127, 128, 250], dtype=torch.uint8).reshape(1, 1, 5, 1)
    assert ops.solarize_add(x, torch.tensor([50.0])).flatten().tolist() == [50, 150, 177, 128, 250]
    assert ops.add_and_solarize(x, torch.tensor([14.67])).flatten().tolist() == [14, 114, 255 - 141, 255 - 142, 0]
    assert ops.posterize(x, torch.tensor([0.0])).flatten().tolist() == [0] * 5
    assert ops.solarize(x, torch.tensor([256.0])).equal(x)
    white = torch.full((1, 6, 6, 1), 255, dtype=torch.uint8)
    assert (ops.translate_x(white, torch.tensor([0.5]), fill=0)[0, 0, :, 0].tolist()) == [255] * 3 + [0] * 3
    # A sixth of 12 is a square of 2 × 2; 0.5 is row 6 and column 0, whose left half is cut off.
    patch = ops.patch(torch.zeros(1, 12, 12, 1, dtype=torch.uint8), torch.tensor([0.5]))[0, :, :, 0]
    assert patch.nonzero().tolist() == [[5, 0], [6, 0]] and patch.max() == ops.GREY


def watched(seen, count, **changes):
    """A pool of ``count`` operations that note their images (by grey level) and the random numbers that they got."""

    def noting(number):
        def operation(x, drawn):
            seen.append((number, x[:, 0, 0, 0].tolist(), drawn))
            return x

        return operation

    choices = tuple((noting(i), lambda s: s) for i in range(count))
    return Pool(**{"choices": choices, "drawn": 2, "chance": 1.0, "crop": "weak", **changes})


@pytest.mark.parametrize(("chance", "drawn"), [(1.0, 2), (0.5, 2), (1.0, 3)])
def test_operations_and_strengths_are_drawn_alike(chance, drawn):
    seen = []
    pixels = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 8, 8, 1).contiguous()
    strong, draw = StrongAugment(watched(seen, 14, chance=chance, drawn=drawn), cutout=0.0), torch.Generator().manual_seed(0)
    for _ in range(20):
        strong(pixels, draw)
    counts = torch.bincount(torch.tensor([n for n, images, _ in seen for _ in images]), minlength=14)
    trials = drawn * 20 * 200
    assert counts.sum() == trials if chance == 1 else stats.binomtest(int(counts.sum()), trials, chance).pvalue > 0.01
    assert stats.chisquare(counts.numpy()).pvalue > 0.01
    assert stats.kstest(torch.cat([s for *_, s in seen]).numpy(), "uniform").pvalue > 0.01


@pytest.mark.parametrize("crop", ["weak", "before", "after"])
def test_a_strong_view_has_the_weak_ones_crop_or_one_of_its_own(crop):
    """The images have one bright pixel in the middle, which only the crop moves."""
    pixels = torch.zeros(400, 7, 7, 1, dtype=torch.uint8)
    pixels[:, 3, 3] = 200
    seen = []

    def noting(x, drawn):
        seen.append(x.clone())
        return x

    stream = Batches(Images(pixels, torch.zeros(400)), dataclasses.replace(RECIPES["digits"], pad=2, flip=False))
    draw, host = torch.Generator().manual_seed(0), torch.Generator().manual_seed(1)
    positions = torch.arange(400)
    weak = stream.pixels(positions, draw)
    strong = StrongAugment(Pool(((noting, lambda s: s),), drawn=1, chance=1.0, crop=crop), cutout=0.0)
    made = strong.view(stream, positions, weak, draw, host)
    same = (made == weak).all(dim=(1, 2, 3)).float().mean()
    assert same == 1 if crop == "weak" else 0.01 < same < 0.1  # by chance one in 25
    assert torch.equal(seen[0], pixels if crop == "after" else made)


def magnitude(pool, operation, s):
    """The magnitudes that ``pool`` makes from the random numbers ``s`` for this operation."""
    (found,) = [m for op, m in POOLS[pool].choices if getattr(op, "func", op) is operation]
    return found(torch.tensor(s))


def test_pools_are_those_of_the_public_code():
    size = {name: len(pool.choices) for name, pool in POOLS.items()}
    assert size == {"always": 14, "fixmatch": 14, "crest": 16, "randaugment": 16}
    s = torch.rand(20_000, generator=torch.Generator().manual_seed(3)).tolist()

    # CReST: every level, both signs.
    for operation, low, high in ((ops.brightness, 0.1, 1.9), (ops.rotate, -30, 30), (ops.shear_y, -0.3, 0.3)):
        assert stats.kstest(magnitude("crest", operation, s).double().numpy(), "uniform", (low, high - low)).pvalue > 0.01
    kept = torch.bincount(magnitude("crest", ops.posterize, s).long()).numpy()
    assert stats.chisquare(kept[1:], len(s) * np.array([0.5, 0.25, 0.25])).pvalue > 0.01 and kept[0] == 0
    assert magnitude("crest", ops.solarize_add, s).max() == 109 and magnitude("crest", ops.solarize, s).min() == 0

    # FixMatch: levels 1 to 9 of 10 with equal probability, with either sign.
    levels = [round(0.1 * k, 1) for k in range(1, 10)]
    turned = magnitude("fixmatch", ops.rotate, s)
    assert sorted(turned.round().unique().tolist()) == [-27 + 3 * k for k in range(9)] + [3 + 3 * k for k in range(9)]
    assert stats.chisquare(turned.round().unique(return_counts=True)[1].numpy()).pvalue > 0.01
    middles = [(k + 0.5) / 18 for k in range(9)]  # one number of each level
    assert magnitude("fixmatch", ops.brightness, middles).tolist() == pytest.approx([0.1 + 1.8 * k for k in levels])
    assert magnitude("fixmatch", ops.posterize, middles).tolist() == [4, 4, 3, 3, 2, 2, 2, 1, 1]
    assert magnitude("fixmatch", ops.solarize, middles).tolist() == [256 - int(25.6 * k) for k in range(1, 10)]
    assert (32 * magnitude("fixmatch", ops.translate_x, middles)).tolist() == pytest.approx([-k for k in range(1, 10)])

    # RandAugment(3, 4): a fixed level, either sign.
    assert magnitude("randaugment", ops.color, [0.2, 0.9]).tolist() == pytest.approx([0.34, 0.34])
    assert magnitude("randaugment", ops.rotate, [0.2, 0.9]).tolist() == pytest.approx([-4, 4])
    assert (32 * magnitude("randaugment", ops.translate_y, [0.2, 0.9])).tolist() == pytest.approx([-40 / 3, 40 / 3])
    assert magnitude("randaugment", ops.posterize, [0.2]).tolist() == [1]
    assert magnitude("randaugment", ops.solarize, [0.2]).tolist() == pytest.approx([34.1333], rel=1e-4)

    # Our own magnitudes, from one end to the other.
    ends = [0.0, 1 - 2**-24]
    for operation, low, high in (
        (ops.sharpness, 0.05, 0.95),
        (ops.rotate, -30, 30),
        (ops.posterize, 4, 8),
        (ops.solarize, 0, 255),
    ):
        assert magnitude("always", operation, ends).tolist() == pytest.approx([low, high], abs=1e-5)


@pytest.mark.parametrize("operation", [*OPERATIONS, *OURS_ALONE], ids=lambda op: op.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_looks_at_one_image_alone(operation, channels):
    draw = torch.Generator().manual_seed(4)
    pixels = torch.randint(0, 256, (30, 8, 8, channels), generator=draw).to(torch.uint8)
    strength, order, kept = magnitudes(operation, 30, draw), torch.randperm(30, generator=draw), pixels.clone()
    made = operation(pixels, strength)
    assert torch.equal(operation(pixels[order], strength[order]), made[order])
    assert torch.equal(torch.cat([operation(pixels[i : i + 1], strength[i : i + 1]) for i in range(30)]), made)
    assert torch.equal(pixels, kept)


class Waits(TorchDispatchMode):
    """Notes operations that make the host wait for a GPU: blocking copies, and requests for numbers or sizes."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name, of = str(func), [a.device.type for a in args if isinstance(a, torch.Tensor)]
        to = torch.device(kwargs.get("device") or of[0]).type if of else None
        blocks = "_to_copy" in name and to != of[0] and not kwargs.get("non_blocking")
        if blocks or ("cuda" in of and any(word in name for word in ("nonzero", "_local_scalar", "unique", "masked_select"))):
            self.seen.append(name)
        return func(*args, **kwargs)


@pytest.mark.parametrize("operation", [*OPERATIONS, *OURS_ALONE], ids=lambda op: op.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_operation_waits_for_the_device(operation, channels):
    """The tensors only pretend to be on a GPU, so that this can be checked without one."""
    with FakeTensorMode(), Waits() as waits:
        pixels = torch.empty(5, 16, 16, channels, dtype=torch.uint8, device="cuda")
        assert operation(pixels, torch.empty(5, device="cuda")).shape == pixels.shape
    assert waits.seen == []


@pytest.mark.parametrize("pool", list(POOLS))
def test_an_image_meets_its_own_operations_whatever_stands_beside_it(pool):
    pixels = torch.randint(0, 256, (50, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = StrongAugment(POOLS[pool])(pixels, torch.Generator().manual_seed(2))
    changed = pixels.clone()
    changed[10:] = 0
    assert torch.equal(StrongAugment(POOLS[pool])(changed, torch.Generator().manual_seed(2))[:10], whole[:10])


@pytest.mark.parametrize("pool", list(POOLS))
def test_the_generator_alone_decides(pool):
    pixels = torch.randint(0, 256, (40, 8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    before, kept = torch.get_rng_state(), pixels.clone()
    first, again, other = (StrongAugment(POOLS[pool])(pixels, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before) and torch.equal(pixels, kept)


def test_cutout_is_a_grey_square_at_a_uniform_centre():
    pixels = torch.zeros(4000, 8, 8, 1, dtype=torch.uint8)
    made = StrongAugment(watched([], 1, drawn=0))(pixels, torch.Generator().manual_seed(0))
    grey = (made[..., 0] == ops.GREY).float()
    assert ops.GREY == 127 and set(made.unique().tolist()) == {0, 127}
    assert grey.sum((1, 2)).max() == 16 and grey.sum((1, 2)).min() == 4  # 4 × 4, cut off at a corner
    # With a centre that is uniform over 8 places, row r is covered by the existing centres within the window around it.
    expected = torch.tensor([sum(0 <= r - o < 8 for o in range(-2, 2)) / 8 for r in range(8)])
    torch.testing.assert_close(grey.amax(2).mean(0), expected, atol=0.03, rtol=0)
