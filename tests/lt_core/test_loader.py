from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from lt_core.data.loader import Batches, Images
from lt_core.recipes import RECIPES

PLAIN = dataclasses.replace(RECIPES["digits"], pad=0, flip=False, normalize="unit")


def recipe(**changes):
    return dataclasses.replace(PLAIN, **changes)


def images(count=3, size=6, channels=3):
    """All pixels differ and none is black, so that no two crops are alike."""
    pixels = 1 + torch.arange(count * size * size * channels) % 250
    return Images(pixels.reshape(count, size, size, channels).to(torch.uint8), torch.arange(count))


def variants(image, pad, flip):
    """Every crop of the padded picture, in plain Python: {(row, column, flipped): uint8 [H, W, channels]}."""
    height, width, channels = image.shape
    black = [0] * channels
    wide = [black] * (width + 2 * pad)
    rows = [[black] * pad + row + [black] * pad for row in image.tolist()]
    padded = [wide] * pad + rows + [wide] * pad
    made = {}
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            crop = [row[left : left + width] for row in padded[top : top + height]]
            made[top, left, False] = torch.tensor(crop, dtype=torch.uint8)
            if flip:
                made[top, left, True] = torch.tensor([row[::-1] for row in crop], dtype=torch.uint8)
    return made


def test_a_padding_reflects_what_lies_within_without_the_border():
    """This is REFLECT in numpy and TensorFlow."""
    train, batches = images(size=5), Batches(images(size=5), recipe(pad=2, pad_with="reflection"))
    expected = np.pad(train.pixels.numpy(), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    assert np.array_equal(batches.padded.numpy(), expected)
    assert torch.equal(batches.plain(torch.tensor([2, 0])), train.pixels[[2, 0]])
    moved = batches.moved(train.pixels, torch.arange(3), torch.Generator().manual_seed(0))
    assert torch.equal(moved, batches.pixels(torch.arange(3), torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(("pad", "flip"), [(0, False), (0, True), (1, False), (2, True)])
def test_an_augmented_image_is_one_of_the_possible_crops_all_equally_likely(pad, flip):
    train = images()
    batches = Batches(train, recipe(pad=pad, flip=flip))
    generator = torch.Generator().manual_seed(0)
    draws = 100 * (2 * pad + 1) ** 2 * (1 + flip)
    for position in range(len(train)):
        seen = dict.fromkeys(variants(train.pixels[position], pad, flip), 0)
        possible = {
            batches.normalise(v[None])[0].contiguous().numpy().tobytes(): key
            for key, v in variants(train.pixels[position], pad, flip).items()
        }
        assert len(possible) == len(seen) == (2 * pad + 1) ** 2 * (1 + flip)
        made, labels = batches.train(torch.full((draws,), position), generator)
        assert (labels == position).all()
        for image in made:
            seen[possible[image.contiguous().numpy().tobytes()]] += 1
        if len(seen) > 1:
            assert chisquare(list(seen.values())).pvalue > 1e-3


def test_images_of_one_batch_are_cropped_apart():
    """Corner and flip are drawn for each image, and row, column and flip are independent."""
    train = images(1)
    possible = {v.numpy().tobytes(): key for key, v in variants(train.pixels[0], 1, True).items()}
    batches = Batches(train, recipe(pad=1, flip=True))
    made, _ = batches.train(torch.zeros(2000, dtype=torch.long), torch.Generator().manual_seed(1))
    keys = [possible[p.numpy().tobytes()] for p in (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()]
    pairs = [(a, b) for a, b in zip(keys[::2], keys[1::2], strict=True)]
    same = sum(a == b for a, b in pairs) / len(pairs)
    assert abs(same - 1 / 18) < 0.03


def test_positions_choose_images_and_labels():
    train = images(5)
    made, labels = Batches(train, PLAIN).train(torch.tensor([4, 0, 4]), torch.Generator())
    assert labels.tolist() == [4, 0, 4]
    assert torch.equal((made * 255).round().to(torch.uint8), train.pixels[[4, 0, 4]].permute(0, 3, 1, 2))


@pytest.mark.parametrize("normalize", ["subset", "cifar", "signed", "unit"])
def test_normalisation_is_by_the_book(normalize):
    train = images(4)
    x = train.pixels.double()
    expected = {
        "subset": (x - x.mean((0, 1, 2))) / x.flatten(0, 2).std(0),
        "cifar": (x / 255 - torch.tensor([0.4914, 0.4822, 0.4465])) / torch.tensor([0.2023, 0.1994, 0.2010]),
        "signed": x / 128 - 1,
        "unit": x / 255,
    }[normalize].permute(0, 3, 1, 2)
    batches = Batches(train, recipe(normalize=normalize))
    made, _ = batches.train(torch.arange(4), torch.Generator())
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.double(), expected, atol=2e-6, rtol=0)
    assert torch.equal(made, batches.normalise(train.pixels))  # the same for training and evaluation


def test_padding_is_black_before_normalisation():
    train = Images(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), torch.zeros(1, dtype=torch.long))
    made, _ = Batches(train, recipe(pad=2, normalize="signed")).train(torch.zeros(50, dtype=torch.long), torch.Generator())
    assert sorted(set(made.flatten().tolist())) == [-1.0, 255 / 128 - 1]


def test_batches_lie_channels_last():
    batches = Batches(images(), recipe(pad=1, flip=True))
    made, _ = batches.train(torch.arange(3), torch.Generator())
    for batch in (made, batches.normalise(images().pixels)):
        assert batch.shape == (3, 3, 6, 6)
        assert batch.is_contiguous(memory_format=torch.channels_last)
        assert not batch.is_contiguous()


def test_the_generator_alone_decides():
    batches = Batches(images(), recipe(pad=2, flip=True))
    positions = torch.arange(3).repeat(20)
    torch.manual_seed(1)
    first, _ = batches.train(positions, torch.Generator().manual_seed(7))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second, _ = batches.train(positions, torch.Generator().manual_seed(7))
    third, _ = batches.train(positions, torch.Generator().manual_seed(8))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert torch.equal(state, torch.get_rng_state())


def test_features_are_normalised_by_the_moments_of_the_subset():
    features = 3 * torch.rand(1000, 7, generator=torch.Generator().manual_seed(0)) + torch.arange(7)
    images = Images(features[:, None, None], torch.zeros(1000, dtype=torch.int64))
    normalised, _ = Batches(images, RECIPES["frozen"]).train(torch.arange(1000), torch.Generator())
    expected = (features.double() - features.double().mean(0)) / features.double().std(0)
    assert torch.allclose(normalised.flatten(1).double(), expected, atol=1e-4)
