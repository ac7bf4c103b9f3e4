"""Training and evaluation on crops of stored pictures: figures depend neither on how a batch is split nor on interruptions."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from lt_core.data import policies, trial_images
from lt_core.data import stored as stored_module
from lt_core.data.draws import Numbers
from lt_core.data.loader import Batches, Images
from lt_core.data.stored import Stored
from lt_core.errors import UserError
from lt_core.recipes import RECIPES
from lt_core.result import OK
from lt_core.stages import check_trial
from lt_core.testing.trials import (
    VALIDATED,
    figures_of,
    finished,
    first_training,
    fitting_spec,
    split_of,
    tiny_spec,
    trained,
    weights_of,
)
from lt_core.training import Runtime, run_trial, trial
from lt_core.training.optim import set_rate

CPU = torch.device("cpu")
SIZE = 20
PIXELS = np.random.RandomState(0).randint(0, 256, (30, SIZE, SIZE, 3)).astype(np.uint8)
LABELS = torch.arange(30) % 3
PLAIN = dataclasses.replace(RECIPES["digits"], pad=0, crop=14, normalize="unit")
EVERYTHING = dataclasses.replace(PLAIN, flip=True, jitter=(0.4, 0.3, 0.2), policy="randaugment")
OF_TRIALS = {"pad": 0, "crop": 6, "crop_area": (0.5, 1.0), "flip": True, "jitter": (0.4, 0.4, 0.4), "policy": "trivialaugment"}
POSITIONS = torch.tensor([4, 0, 29, 4, 11, 4, 12, 0])


def batches(recipe=EVERYTHING, pixels=None):
    return Batches(Images(torch.from_numpy(PIXELS) if pixels is None else pixels, LABELS), recipe)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def on_disk():
    return Stored(lambda at: PIXELS[at], np.arange(30), (SIZE, SIZE, 3), CPU)


def test_a_batch_is_what_the_network_is_given():
    images, labels = batches().train(POSITIONS, generator())
    assert images.shape == (8, 3, 14, 14) and images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(labels, LABELS[POSITIONS])
    assert batches().shape == (14, 14, 3)


@pytest.mark.parametrize("pixels", [None, on_disk()], ids=["in memory", "on disk"])
def test_a_batch_is_the_same_in_parts_on_ranks_and_from_disk(pixels):
    """How an image is augmented depends only on the image, and on how often it was drawn before."""
    expected = batches().pixels(POSITIONS, generator())
    assert expected.shape == (8, 14, 14, 3)
    assert not torch.equal(expected[0], expected[3])  # the same image, drawn twice
    parts, ranks = batches(pixels=pixels), [batches(pixels=pixels) for _ in range(2)]
    made = [parts.pixels(part, generator()) for part in POSITIONS.split(3)]
    assert torch.equal(torch.cat(made), expected)
    halves = POSITIONS.split(4)
    first = ranks[0].pixels(halves[0], generator())
    ranks[0].draws.skip(halves[1])
    ranks[1].draws.skip(halves[0])
    second = ranks[1].pixels(halves[1], generator())
    assert torch.equal(torch.cat([first, second]), expected)
    further = [b.pixels(POSITIONS, generator()) for b in (parts, *ranks)]
    assert torch.equal(further[0], further[1]) and torch.equal(further[0], further[2])
    assert not torch.equal(further[0], expected)


def test_what_the_generator_drew_before_does_not_matter_and_its_seed_does():
    used = generator()
    torch.rand(5, generator=used)
    expected = batches().pixels(POSITIONS, generator())
    assert torch.equal(batches().pixels(POSITIONS, used), expected)
    assert not torch.equal(batches().pixels(POSITIONS, generator(2)), expected)


def test_threads_change_no_pixel():
    expected, before = batches().pixels(POSITIONS, generator()), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(batches().pixels(POSITIONS, generator()), expected)
    finally:
        torch.set_num_threads(before)


def test_half_of_the_pictures_are_mirrored():
    """With an area and a ratio of 1, the only crops are the whole picture and its mirror image."""
    whole = dataclasses.replace(PLAIN, crop=SIZE, crop_area=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=True)
    positions, source = torch.arange(30).repeat(40), torch.from_numpy(PIXELS)
    made = batches(whole).pixels(positions, generator())
    kept, mirrored = ((made == of).flatten(1).all(1) for of in (source[positions], source[positions].flip(2)))
    assert (kept ^ mirrored).all()
    assert abs(mirrored.float().mean() - 0.5) < 0.05
    unflipped = batches(dataclasses.replace(whole, flip=False)).pixels(positions, generator())
    assert torch.equal(unflipped, source[positions])


def test_evaluation_shows_the_scaled_centre():
    source = torch.from_numpy(PIXELS)
    seen = batches(dataclasses.replace(EVERYTHING, eval_resize=18)).for_evaluation(source)
    expected = tv.center_crop(tv.resize(source.permute(0, 3, 1, 2), [18], antialias=True), [14, 14])
    torch.testing.assert_close(seen, expected.float() / 255)


def test_pictures_are_scaled_to_eight_sevenths_of_the_crop_unless_told():
    assert [dataclasses.replace(PLAIN, crop=side).evaluated_at for side in (0, 224, 320)] == [0, 256, 366]


@pytest.mark.parametrize(("name", "table"), [("randaugment", v2.RandAugment()), ("trivialaugment", v2.TrivialAugmentWide())])
def test_policies_have_the_magnitudes_of_torchvision(name, table):
    """Compare the pictures that they can make from one. In float32, sixteen pixels are 15.999998; torchvision truncates to 15."""
    picture = torch.from_numpy(PIXELS[:1]).repeat_interleave(2, 1).repeat_interleave(2, 2)
    choices = policies.randaugment(9) if name == "randaugment" else policies.trivialaugment()
    theirs = []
    for operation, (magnitudes, signed) in table._AUGMENTATION_SPACE.items():
        values = magnitudes(policies.BINS, 2 * SIZE, 2 * SIZE)
        values = [0.0] if values is None else values[9:10].tolist() if name == "randaugment" else values.tolist()
        for value in {round(v, 4) * s for v in values for s in ((1, -1) if signed else (1,))}:
            fill = table._fill
            made = table._apply_image_or_video_transform(
                picture[0].permute(2, 0, 1), operation, value, tv.InterpolationMode.NEAREST, fill
            )
            theirs.append(made.permute(1, 2, 0).float())
    ours = [
        operation(picture, magnitude(torch.tensor([s])))[0].float()
        for operation, magnitude in choices
        for s in (torch.arange(2 * policies.BINS) + 0.5).div(2 * policies.BINS).tolist()
    ]
    # A rotation or shear may round to the neighbouring pixel.
    ours, theirs = torch.stack(ours), torch.stack(theirs)
    apart = torch.cdist(ours.flatten(1), theirs.flatten(1), p=0) / ours[0].numel()
    assert apart.min(dim=0).values.max() < 0.05, "torchvision makes what we do not"
    assert apart.min(dim=1).values.max() < 0.05, "we make what torchvision does not"


def test_all_operations_of_a_policy_are_drawn_alike():
    choices = [(lambda x, m, n=n: torch.full_like(x, n), lambda s: s) for n in range(14)]
    numbers = Numbers(torch.arange(14_000))
    made = policies.policy(torch.zeros(14_000, 1, 1, 1, dtype=torch.uint8), numbers, choices, 1)
    assert abs(torch.bincount(made.flatten().long(), minlength=14) - 1000).max() < 130


def test_jitter_is_torchvisions_in_one_of_its_orders():
    picture = torch.from_numpy(PIXELS[:1])
    strengths = (0.4, 0.3, 0.2)
    for key in range(20):
        made = policies.jitter(picture, Numbers(torch.tensor([key])), strengths)
        drawn = Numbers(torch.tensor([key])).take(4)[1:, 0]
        possible = []
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            image = picture[0].permute(2, 0, 1)
            for which, s in zip(order, drawn.tolist(), strict=True):
                adjust = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation)[which]
                image = adjust(image, 1 - strengths[which] + 2 * strengths[which] * s)
            possible.append((image.permute(1, 2, 0).int() - made[0].int()).abs().max())
        assert min(possible) <= 2  # rounded thrice


METHODS = (
    "softmax", "ldam_drw", "over_sampling", "mixup", "bbn", "smote", "crt", "fixmatch", "fixmatch[strong_augment=randaugment]",
    "meta_weight_net[meta_set=extra]", "meta_weight_net[meta_set=validation]", "joint_aug", "joint_alt",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_methods_train_on_crops(method):
    training, losses = trained(fitting_spec(method, epochs=2, batch_size=16, **OF_TRIALS), split_of((30, 20, 10)))
    assert np.isfinite(losses).all()
    assert training.images(torch.tensor([0]))[0].shape == (1, 1, 6, 6)


@pytest.mark.parametrize("method", ["softmax", "over_sampling", "fixmatch", "crt"])
def test_a_killed_trial_on_crops_gives_the_same_figures(method, tmp_path):
    spec = fitting_spec(method, data=VALIDATED, epochs=4, **OF_TRIALS)
    whole = figures_of(finished(spec))
    runtime = Runtime(device="cpu", checkpoint=str(tmp_path / "checkpoint.pt"), checkpoint_every=0.0)
    steps = trial.trial_steps(spec, runtime)
    for _ in range(2):
        next(steps)
    steps.close()
    resumed = run_trial(spec, runtime)
    assert resumed.environment["resumed_at"]
    assert figures_of(resumed) == whole


def test_an_epoch_that_begins_again_is_the_same():
    """Draws are counted within an epoch, not in a generator's state."""
    training = first_training(tiny_spec(epochs=3, **OF_TRIALS), split_of((30, 20, 10)))
    training.run_epoch()
    state = copy.deepcopy(training.state())
    first = training.run_epoch()
    training.restore(state)
    assert training.run_epoch() == first


def epoch_on_ranks(ranks):
    """An epoch of trainings that each compute a part of every batch and step with the sum of all gradients, like DDP."""
    order = [rank._order(rank.sampling) for rank in ranks]
    assert all(torch.equal(one, order[0]) for one in order)
    for rank in ranks:
        rank.batches.draws.begin(rank.epoch)
        rank.train_mode()
    for batch in order[0].split(ranks[0].recipe.batch_size):
        parts = batch.chunk(len(ranks))
        for mine, rank in enumerate(ranks):
            rank.optimizer.zero_grad()
            for part in range(len(parts)):
                if part == mine:
                    (rank.step(parts[part]) * len(parts[part]) / len(batch)).backward()
                else:
                    rank.batches.draws.skip(parts[part])
        for shared in zip(*(rank.model.parameters() for rank in ranks), strict=True):
            slope = sum(p.grad for p in shared if p.grad is not None)
            for p in shared:
                p.grad = slope.clone()
        for rank in ranks:
            set_rate(rank.optimizer, rank.recipe.lr)
            rank.optimizer.step()
    for rank in ranks:
        rank.epoch += 1


@pytest.mark.parametrize("method", ["softmax", "over_sampling"])
def test_two_ranks_train_the_network_of_one(method):
    """They agree up to the order of sums, even if images are drawn several times in an epoch or in a batch."""
    spec = tiny_spec(method, model="mlp", batch_size=16, warmup_epochs=0, milestones=(), drops=(), **OF_TRIALS)
    alone, *ranks = (first_training(spec, split_of((30, 20, 10))) for _ in range(3))
    for _ in range(3):
        alone.run_epoch()
        epoch_on_ranks(ranks)
    for rank in ranks:
        torch.testing.assert_close(weights_of(rank.model), weights_of(alone.model), rtol=1e-5, atol=1e-5)


def test_trials_on_disk_and_in_memory_have_the_same_figures(monkeypatch):
    spec = tiny_spec(data=VALIDATED, **OF_TRIALS)
    in_memory = figures_of(finished(spec))
    monkeypatch.setattr(stored_module, "IN_MEMORY", 0)
    assert isinstance(trial_images.draw_images(spec.data, CPU).split.train.pixels, Stored)
    assert figures_of(finished(spec)) == in_memory


def test_a_model_is_made_for_what_it_is_given():
    spec = tiny_spec(model="mlp", epochs=1, **OF_TRIALS)
    assert finished(spec).status == OK
    training = first_training(spec, split_of((30, 20, 10)))
    assert training.model.backbone(torch.zeros(2, 1, 6, 6)).shape[0] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 0, "crop_area": (0.5, 1.0)}, "crop_area needs crop"),
        ({"crop_area": (0.5,)}, "crop_area takes 2 numbers, got 1"),
        ({"crop_area": (1.0, 0.5)}, "from the smallest to the largest"),
        ({"crop_area": (0.0, 0.5)}, r"crop_area must be in \(0, 1\], got 0"),
        ({"jitter": (0.5, 0.5)}, "jitter takes 3 numbers, got 2"),
        ({"pad": 2}, "pad=2 and crop=14 both determine"),
        ({"eval_resize": 10}, "is smaller than crop=14"),
        ({"policy_magnitude": 3}, "applies to policy randaugment only, but policy is none"),
        ({"policy": "autoaugment"}, "policy must be in"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(PLAIN, **changes)


def test_features_are_not_cropped():
    spec = tiny_spec(model="frozen[backbone=efficientnet_lite0,size=112,weights=57934424]", pad=0, crop=6)
    with pytest.raises(UserError, match="changes pictures"):
        check_trial(spec)
