"""Every operation against torchvision's, and what is drawn for whom."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms.v2 import functional as V

from lt_core.data import strong_ops as ops
from lt_core.data.strong import StrongAugment

NEAREST = V.InterpolationMode.NEAREST
WHOLE = ("identity", "equalize", "posterize", "solarize", "translate_x", "translate_y")  # no fractions, so no rounding


def theirs(name, image, s):
    """torchvision's result for one image [channels, H, W] at strength ``s`` [1]."""
    f, v, side = ops.factor(s).item(), ops.slope(s).item(), image.shape[1]
    degrees = math.degrees(math.atan(v))
    moved = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], "interpolation": NEAREST, "fill": ops.GREY}
    return {
        "identity": lambda: image,
        "autocontrast": lambda: V.autocontrast(image),
        "equalize": lambda: V.equalize(image),
        "brightness": lambda: V.adjust_brightness(image, f),
        "color": lambda: V.adjust_saturation(image, f),
        "contrast": lambda: V.adjust_contrast(image, f),
        "sharpness": lambda: V.adjust_sharpness(image, f),
        "posterize": lambda: V.posterize(image, int(ops.bits(s))),
        "solarize": lambda: V.solarize(image, ops.threshold(s).item()),
        "rotate": lambda: V.rotate(image, ops.angle(s).item(), NEAREST, fill=ops.GREY),
        "shear_x": lambda: V.affine(image, **{**moved, "shear": [degrees, 0.0], "center": [0, 0]}),
        "shear_y": lambda: V.affine(image, **{**moved, "shear": [0.0, degrees], "center": [0, 0]}),
        "translate_x": lambda: V.affine(image, **{**moved, "translate": [-round(v * side), 0]}),
        "translate_y": lambda: V.affine(image, **{**moved, "translate": [0, -round(v * side)]}),
    }[name]()


@pytest.mark.parametrize("operation", ops.OPERATIONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize(("side", "channels"), [(32, 3), (28, 1), (8, 1)])
def test_an_operation_is_torchvisions(operation, side, channels):
    draw = torch.Generator().manual_seed(side)
    base = torch.randint(0, 256, (24, side // 4, side // 4, channels), generator=draw)
    pixels = base.repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)  # patches, so that a shifted pixel shows
    pixels[0], pixels[1] = 77, torch.randint(0, 256, pixels[1].shape, generator=draw)
    strength = torch.rand(24, generator=draw)
    ours, wrong = operation(pixels, strength), 0
    assert ours.dtype == torch.uint8 and ours.shape == pixels.shape
    for mine, image, s in zip(ours, pixels, strength, strict=True):
        expected = theirs(operation.__name__, image.permute(2, 0, 1), s[None]).permute(1, 2, 0)
        off = (mine.int() - expected.int()).abs()
        if operation.__name__ in ("rotate", "shear_x", "shear_y"):
            wrong += int((off > 0).any(2).sum())
        else:
            assert off.max() <= 1  # float32 may truncate to the neighbouring grey level
            assert operation.__name__ not in WHOLE or off.max() == 0
            assert (off > 0).float().mean() <= 0.02
    # A source position within rounding of a pixel's edge may fall on either side of it, and a shear's whole row shares its place
    # between edges: one row of one image, of 24.
    assert wrong <= side


def test_operations_and_strengths_are_drawn_alike(monkeypatch):
    seen = []

    def watched(number):
        def operation(x, strength):
            seen.append((number, x[:, 0, 0, 0].tolist(), strength))
            return x

        return operation

    monkeypatch.setattr("lt_core.data.strong.OPERATIONS", tuple(watched(i) for i in range(14)))
    pixels = torch.arange(200, dtype=torch.uint8)[:, None, None, None].expand(200, 8, 8, 1).contiguous()
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        StrongAugment(cutout=0.0)(pixels, draw)
    counts = torch.bincount(torch.tensor([n for n, images, _ in seen for _ in images]), minlength=14)
    assert counts.sum() == 2 * 20 * 200
    assert stats.chisquare(counts.numpy()).pvalue > 0.01
    assert stats.kstest(torch.cat([s for *_, s in seen]).numpy(), "uniform").pvalue > 0.01


def test_strengths_become_fixmatchs_magnitudes():
    s = torch.rand(20_000, generator=torch.Generator().manual_seed(3))
    ends = torch.tensor([0.0, 1 - 2**-24])  # the least and the largest that is drawn
    for made, low, high in ((ops.factor, 0.05, 0.95), (ops.angle, -30, 30), (ops.slope, -0.3, 0.3)):
        torch.testing.assert_close(made(ends), torch.tensor([low, high], dtype=torch.float32), atol=1e-5, rtol=0)
        assert stats.kstest(made(s).double().numpy(), "uniform", (low, high - low)).pvalue > 0.01
    for made, low, high in ((ops.bits, 4, 8), (ops.threshold, 0, 255)):
        assert made(ends).tolist() == [low, high]
        assert stats.chisquare(torch.bincount(made(s).long() - low, minlength=high - low + 1).numpy()).pvalue > 0.01


@pytest.mark.parametrize("operation", ops.OPERATIONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_operation_looks_at_one_image_alone(operation, channels):
    draw = torch.Generator().manual_seed(4)
    pixels = torch.randint(0, 256, (30, 8, 8, channels), generator=draw).to(torch.uint8)
    strength, order, kept = torch.rand(30, generator=draw), torch.randperm(30, generator=draw), pixels.clone()
    made = operation(pixels, strength)
    assert torch.equal(operation(pixels[order], strength[order]), made[order])
    assert torch.equal(torch.cat([operation(pixels[i : i + 1], strength[i : i + 1]) for i in range(30)]), made)
    assert torch.equal(pixels, kept)


class Waits(TorchDispatchMode):
    """Notes what makes the host wait for a GPU: copies that block, and numbers or sizes asked of it."""

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


@pytest.mark.parametrize("operation", ops.OPERATIONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_operation_waits_for_the_device(operation, channels):
    """With tensors that only pretend to lie on a GPU, so that it is checked where there is none."""
    with FakeTensorMode(), Waits() as waits:
        pixels = torch.empty(5, 16, 16, channels, dtype=torch.uint8, device="cuda")
        assert operation(pixels, torch.empty(5, device="cuda")).shape == pixels.shape
    assert waits.seen == []


def test_an_image_meets_its_own_operations_whatever_stands_beside_it():
    pixels = torch.randint(0, 256, (50, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = StrongAugment()(pixels, torch.Generator().manual_seed(2))
    changed = pixels.clone()
    changed[10:] = 0
    assert torch.equal(StrongAugment()(changed, torch.Generator().manual_seed(2))[:10], whole[:10])


def test_the_generator_alone_decides():
    pixels = torch.randint(0, 256, (40, 8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    before, kept = torch.get_rng_state(), pixels.clone()
    first, again, other = (StrongAugment()(pixels, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before) and torch.equal(pixels, kept)


def test_cutout_is_a_grey_square_at_a_uniform_centre():
    pixels = torch.zeros(4000, 8, 8, 1, dtype=torch.uint8)
    made = StrongAugment(ops=0)(pixels, torch.Generator().manual_seed(0))
    grey = (made[..., 0] == ops.GREY).float()
    assert ops.GREY == 127 and set(made.unique().tolist()) == {0, 127}
    assert grey.sum((1, 2)).max() == 16 and grey.sum((1, 2)).min() == 4  # 4 × 4, cut off at a corner
    # With a centre uniform over 8 places, row r is covered by the centres within the window around it that exist.
    expected = torch.tensor([sum(0 <= r - o < 8 for o in range(-2, 2)) / 8 for r in range(8)])
    torch.testing.assert_close(grey.amax(2).mean(0), expected, atol=0.03, rtol=0)
