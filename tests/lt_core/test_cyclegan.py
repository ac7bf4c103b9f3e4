"""CycleGANs: their networks, their objective, and the images that they make."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lt_core.data.loader import Images, Split
from lt_core.generation import CycleGAN, CycleGANConfig, Translation, filled, to_pixels, to_signed
from lt_core.models.cyclegan import PatchDiscriminator, Translator, halvings
from lt_core.recipes import RECIPES

CPU = torch.device("cpu")


def objective(**changes):
    return CycleGANConfig(**{"identity_weight": 5.0, "cycle_weight": 10.0, "lr": 2e-3, "width": 8, "blocks": 1, **changes})


@pytest.mark.parametrize(
    ("shape", "times"), [((8, 8, 1), 0), ((14, 14, 1), 1), ((28, 28, 1), 2), ((32, 32, 3), 2), ((21, 32, 3), 0)]
)
def test_networks_keep_the_size_of_the_images(shape, times):
    images = torch.rand(2, shape[2], *shape[:2]) * 2 - 1
    assert halvings(*shape[:2]) == times
    with torch.no_grad():
        made = Translator(shape, 4, 1)(images)
        answers = PatchDiscriminator(shape, 4)(images)
    assert made.shape == images.shape and made.abs().max() <= 1
    assert answers.shape[:2] == (2, 1) and answers.shape[2] > 1, "patches, not an image"


@pytest.mark.parametrize(("large", "side"), [(False, 26), (True, 70)])
def test_a_discriminator_judges_patches_of_that_size(large, side):
    """Without instance norm, which sees the whole image, an output in the middle depends on so many pixels per side."""
    net = PatchDiscriminator((128, 128, 3), 2, large)
    for place, layer in enumerate(net.body):
        if isinstance(layer, nn.InstanceNorm2d):
            net.body[place] = nn.Identity()
    images = torch.rand(1, 3, 128, 128, requires_grad=True)
    answers = net(images)
    answers[0, 0, answers.shape[2] // 2, answers.shape[3] // 2].backward()
    touched = images.grad[0].ne(0).any(0)
    assert (int(touched.any(0).sum()), int(touched.any(1).sum())) == (side, side)


def test_the_networks_of_the_paper_have_its_layers():
    """C64-C128-C256-C512 and one output; c7s1-64, d128, d256, six R256, u128, u64, c7s1-3. No bias before an instance norm."""
    discriminator = 64 * (3 * 16 + 1) + 16 * (64 * 128 + 128 * 256 + 256 * 512) + (512 * 16 + 1)
    assert sum(p.numel() for p in PatchDiscriminator((128, 128, 3), 64, large=True).parameters()) == discriminator
    around, inside = 49 * 3 * 64 + (49 * 64 * 3 + 3), 9 * 2 * (64 * 128 + 128 * 256)
    assert sum(p.numel() for p in Translator((128, 128, 3), 64, 6).parameters()) == around + inside + 6 * 2 * 9 * 256 * 256


def test_pixels_and_signed_values_are_inverse():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    assert to_signed(pixels).aminmax() == (-1, 1)
    torch.testing.assert_close(to_pixels(to_signed(pixels)).round().to(torch.uint8), pixels)


class Shift(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return x + self.by


class Verdict(Shift):
    def forward(self, x):
        return 0 * x.mean((1, 2, 3), keepdim=True) + self.by


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (5.0, 0.0), (0.0, 10.0), (0.5, 2.0)])
def test_the_objective_by_hand(alpha, beta):
    """Generators add 0.3 and −0.1, discriminators always say 0.4 (A) and 0.9 (B), and a classifier adds 2."""
    gan = CycleGAN((8, 8, 1), objective(identity_weight=alpha, cycle_weight=beta), 0, CPU)
    gan.to_b, gan.to_a, gan.discriminator_a, gan.discriminator_b = Shift(0.3), Shift(-0.1), Verdict(0.4), Verdict(0.9)
    for optimizer, nets in (
        (gan.generators, (gan.to_b, gan.to_a)),
        (gan.discriminators, (gan.discriminator_a, gan.discriminator_b)),
    ):
        optimizer.param_groups[0]["params"] = [p for net in nets for p in net.parameters()]
    seen = {}

    def class_loss(for_a, for_b):
        seen.update(a=for_a.detach(), b=for_b.detach())
        return for_a.mean() * 0 + 2.0

    a, b = torch.full((3, 1, 8, 8), 0.5), torch.full((2, 1, 8, 8), -0.5)
    loss = gan.step(a, b, 1e-9, class_loss)
    adversarial, cycle, identity = 0.1**2 + 0.6**2, 2 * 0.2, 0.3 + 0.1
    assert float(loss) == pytest.approx(adversarial + beta * cycle + alpha * identity + 2, abs=1e-6)
    torch.testing.assert_close(seen["a"], b - 0.1)
    torch.testing.assert_close(seen["b"], a + 0.3)


def test_discriminators_minimise_the_least_squares_loss():
    """Half of (j − 1)² + j² has the slope 2j − 1, so both move towards 1/2 when real and generated images look alike."""
    gan = CycleGAN((8, 8, 1), objective(), 0, CPU)
    gan.discriminator_a, gan.discriminator_b = Verdict(0.4), Verdict(0.9)
    gan.discriminators.param_groups[0]["params"] = [gan.discriminator_a.by, gan.discriminator_b.by]
    gan.step(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8), 1e-3)
    assert (float(gan.discriminator_a.by.grad), float(gan.discriminator_b.by.grad)) == pytest.approx((-0.2, 0.8), abs=1e-6)
    assert gan.discriminator_a.by > 0.4 and gan.discriminator_b.by < 0.9


@given(st.lists(st.integers(1, 500), min_size=2, max_size=9), st.floats(0, 1))
def test_classes_are_filled_up_to_a_share_of_the_largest(counts, share):
    sizes = filled(torch.tensor(counts, dtype=torch.float64), share).tolist()
    assert sizes == [max(n, int(share * max(counts))) for n in counts]


@pytest.fixture
def dark_and_bright():
    """40 dark images of class 0 and 4 bright ones of class 1, with noise."""
    random = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 40 + [1] * 4)
    pixels = torch.randint(0, 60, (44, 8, 8, 1), generator=random) + 180 * labels[:, None, None, None]
    images = Images(pixels.to(torch.uint8), labels)
    return Split(images, images, images, torch.tensor([40.0, 4.0], dtype=torch.float64), (8, 8, 1))


def translation(split, missing=(0, 36), epochs=20, seed=0, **changes):
    return Translation(split, torch.tensor(missing), objective(**changes), 16, RECIPES["digits"], seed, epochs)


def test_a_translation_learns_to_make_the_small_class_of_the_large_one(dark_and_bright):
    made = translation(dark_and_bright)
    assert made.head == 0 and made.missing.tolist() == [0, 36]
    pixels, labels = dark_and_bright.train.pixels[:40], torch.ones(40, dtype=torch.int64)
    before = made.make(pixels, labels).float().mean()
    losses = [float(made.run_epoch()) for _ in range(20)]
    after = made.make(pixels, labels).float().mean()
    assert losses[-1] < losses[0]
    assert abs(float(before) - 128) < 20 and float(after) > 175, "from nothing in particular to bright"


def test_a_translation_goes_on_from_its_state_to_the_bit(dark_and_bright):
    whole, first, second = (translation(dark_and_bright, width=4, epochs=3) for _ in range(3))
    whole_losses = [float(whole.run_epoch()) for _ in range(3)]
    first_losses = [float(first.run_epoch())]
    second.restore(copy.deepcopy(first.state()))
    assert first_losses + [float(second.run_epoch()) for _ in range(2)] == whole_losses
    other = translation(dark_and_bright, width=4, epochs=3, seed=1)
    assert float(other.run_epoch()) != whole_losses[0]


def test_sources_are_used_alike_and_stand_under_the_labels_of_what_they_become(dark_and_bright):
    made = translation(dark_and_bright, missing=(0, 96))
    grown = made.grown(dark_and_bright, translate=False)
    assert grown.train.labels.tolist() == [0] * 40 + [1] * 100
    uses = (grown.train.pixels[44:, None] == dark_and_bright.train.pixels[None, :40]).flatten(2).all(2).sum(0)
    assert sorted(uses.tolist()) == [2] * 24 + [3] * 16
    for _ in range(2):
        made.run_epoch()
    assert torch.equal(made.grown(dark_and_bright, translate=False).train.pixels, grown.train.pixels), "at any stage of training"


def test_the_largest_class_is_filled_up_by_the_way_back_from_the_next_largest(make_split):
    split = make_split([40, 20, 5])
    made = translation(split, missing=(10, 30, 45), width=4, epochs=1)
    assert set(made.gans) == {1, 2} and made.next == 1
    made.gans[1].to_a, made.gans[1].to_b, made.gans[2].to_b = Shift(-0.25), Shift(0.25), Shift(0.5)
    planned, grown = (made.grown(split, translate) for translate in (False, True))
    assert grown.train.labels[65:].tolist() == [0] * 10 + [1] * 30 + [2] * 45 and grown.drawn_counts.tolist() == [50, 50, 50]
    for label, first, last in ((0, 65, 75), (1, 75, 105), (2, 105, 150)):
        mine = split.train.pixels[made.sources(label)]
        assert made.sources(label).tolist() == (split.train.labels == int(label == 0)).nonzero()[:, 0].tolist()
        same = (planned.train.pixels[first:last, None] == mine[None]).flatten(2).all(2)
        assert same.any(1).all()
        by = {0: -0.25, 1: 0.25, 2: 0.5}[label] * 127.5
        expected = (planned.train.pixels[first:last].float() + by).round().clamp(0, 255)
        torch.testing.assert_close(grown.train.pixels[first:last].float(), expected, atol=1.0, rtol=0.0)


def test_a_generator_does_not_depend_on_what_else_is_made(make_split):
    split = make_split([40, 20, 5])
    both, one = (translation(split, missing=m, width=4, epochs=2) for m in ((0, 20, 35), (0, 0, 35)))
    for made in (both, one):
        made.run_epoch()
    assert set(both.gans) == {1, 2} and set(one.gans) == {2}
    mine, theirs = (made.gans[2].to_b.state_dict() for made in (both, one))
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
