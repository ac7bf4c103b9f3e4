"""Augmented views of a frozen track's training images: they are the same everywhere, stored one by one, and only used in
training.
"""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from lt_core.data.draw import draw
from lt_core.data.loader import Batches, Images
from lt_core.data.sources import load_set
from lt_core.data.trial_images import draw_images
from lt_core.errors import UserError
from lt_core.frozen import Frozen, compute
from lt_core.frozen.compute import features_of
from lt_core.frozen.features import folder_of, load_features
from lt_core.frozen.fetch import fetch_inputs
from lt_core.frozen.views import view_of
from lt_core.methods import METHODS
from lt_core.models import resolved_model
from lt_core.pretrained.weights import load_weights
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec
from lt_core.stages.base import extra_images, stages_of
from lt_core.testing.trials import VALIDATED, figures_of, first_training, tiny_spec
from lt_core.training import Runtime, run_trial
from lt_core.training.running import stage_context
from lt_core.training.trial import trial_steps
from tests.lt_core.test_frozen import counted_images, forget
from tests.lt_core.tiny_backbone import SIZE

CPU = torch.device("cpu")
PACKAGED = "frozen[backbone=efficientnet_lite0,size=112,weights=57934424]"
PICTURES = np.random.RandomState(0).randint(0, 256, (40, 16, 8, 2)).astype(np.uint8)


@pytest.fixture
def three(frozen):
    """Three views of each image."""
    return dataclasses.replace(frozen, views=3)


@pytest.fixture
def viewed_spec(frozen_spec, three):
    """As `frozen_spec`, with three views."""

    def make(method="softmax", at=None, **recipe):
        spec = frozen_spec(method, at, **recipe)
        return dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, model=three.label))

    return make


# What a view is ----------------------------------------------------------------------------------


def test_a_view_is_the_picture_its_mirror_image_or_one_of_its_crops():
    assert view_of(PICTURES, 0) is PICTURES
    assert np.array_equal(view_of(PICTURES, 1), np.flip(PICTURES, axis=2))
    padded = np.pad(PICTURES, ((0, 0), (2, 2), (1, 1), (0, 0)), mode="reflect")  # an eighth of 16 and of 8
    crops = [padded[:, top : top + 16, left : left + 8] for top in range(5) for left in range(3)]
    crops += [np.flip(crop, axis=2) for crop in crops]
    two, three = view_of(PICTURES, 2), view_of(PICTURES, 3)
    for made in (two, three):
        assert all(any(np.array_equal(picture, crop[place]) for crop in crops) for place, picture in enumerate(made))
    assert not np.array_equal(two, three)


def test_the_first_crop_of_view_two_is_that_of_numpys_frozen_stream():
    """RandomState(2) starts with 0.436, 0.026 and 0.550: ⌊9 · 0.436⌋ = 3 rows down, no column, and mirrored."""
    picture = np.arange(32 * 32, dtype=np.uint32).astype(np.uint8).reshape(1, 32, 32, 1)
    expected = np.pad(picture[0, :, :, 0], 4, mode="reflect")[3:35, 0:32][:, ::-1]
    assert np.array_equal(view_of(picture, 2)[0, :, :, 0], expected)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_views_do_not_depend_on_the_pieces_in_which_they_are_made(start, stop, view):
    assert np.array_equal(view_of(PICTURES[start:stop], view, start), view_of(PICTURES, view)[start:stop])


def test_all_crops_are_equally_likely():
    picture = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    made = view_of(np.repeat(picture, 1800, axis=0), 4)
    times = np.unique(made.reshape(1800, -1), axis=0, return_counts=True)[1]
    assert len(times) == 18 and chisquare(times).pvalue > 1e-3


# What the label says -----------------------------------------------------------------------------


def test_one_view_goes_without_saying(frozen, three):
    assert "views" not in frozen.label and three.label == f"{frozen.label[:-1]},views=3]"
    assert resolved_model(three.label) == three.label and Frozen.of(three.label) == three
    assert resolved_model(f"{frozen.label[:-1]},views=1]") == frozen.label


@pytest.mark.parametrize("bad", ["0", "x", "1000", "-1", "2.5"])
def test_a_number_of_views_that_is_none_is_refused(frozen, bad):
    label = f"{frozen.label[:-1]},views={bad}]"
    for read in (resolved_model, Frozen.of):
        with pytest.raises(UserError, match=f"views must be a whole number from 1 to 64, got '{bad}'"):
            read(label)


def test_ids_and_places_from_before_there_were_views_stay():
    assert tiny_spec(model=PACKAGED, pad=0).trial_id == "abf5a0e163072b54"
    place = folder_of(Frozen.of(PACKAGED), load_set("digits")).name
    assert place == "digits-efficientnet_lite0-882cecf059d34634"
    assert tiny_spec(model=f"{PACKAGED[:-1]},views=8]", pad=0).trial_id != "abf5a0e163072b54"


# The cache ---------------------------------------------------------------------------------------


def test_each_view_has_the_features_of_its_pictures_and_lies_by_itself(frozen, three, monkeypatch):
    seen, images = counted_images(monkeypatch), load_set("digits")
    plain, count = load_features(frozen, "digits"), len(images.train_labels)
    assert sum(seen) == count + len(images.test_labels) and plain.train_views(np.arange(2)) is None
    del seen[:]
    whole = load_features(three, "digits")
    assert sum(seen) == 2 * count, "the pictures as they are were there, and test images are seen as they are"
    assert np.array_equal(whole.train_features, plain.train_features) and whole.digest != plain.digest
    net, positions = load_weights(frozen.info, frozen.weights, SIZE), np.array([count - 1, 0, 300])
    found = whole.train_views(positions)
    assert found.dtype == np.float16 and found.shape == (3, 2, 1, 1, whole.shape[2])
    for view in (1, 2):
        expected = features_of(net, frozen, view_of(images.train_images, view)[positions])
        np.testing.assert_allclose(found[:, view - 1, 0, 0].astype(float), expected.astype(float), rtol=2e-3)
    del seen[:]
    load_features(dataclasses.replace(frozen, views=2), "digits")
    assert not seen, "two views are among three"


def test_views_are_the_same_for_every_batch_size(three, monkeypatch):
    whole = load_features(three, "digits")
    shutil.rmtree(folder_of(three, whole.images).parent)
    forget()
    monkeypatch.setattr(compute, "_PIECE", 100)
    monkeypatch.setattr(compute, "_BATCH", {"cpu": 7})
    for ours, theirs in zip(load_features(three, "digits").view_features, whole.view_features, strict=True):
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=2e-3)


def test_a_kill_in_the_middle_of_a_view_costs_one_piece(three, monkeypatch):
    whole = load_features(three, "digits")
    expected, images = [np.array(view) for view in whole.view_features], whole.images
    shutil.rmtree(folder_of(three, images).parent)
    forget()
    seen, total = counted_images(monkeypatch), 3 * len(images.train_labels) + len(images.test_labels)
    first = len(images.train_labels) + len(images.test_labels)

    def killed(done, of):
        assert of == total
        if done >= first + 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_features(three, "digits", progress=killed)
    assert sum(seen) == first + 512 and not folder_of(three, images, 1).exists()
    again = load_features(three, "digits")
    assert sum(seen) == total, "what was computed before the kill is not computed again"
    assert again.digest == whole.digest and all(map(np.array_equal, again.view_features, expected))


def test_a_flipped_byte_in_a_view_is_found_and_mended(three, monkeypatch):
    whole = load_features(three, "digits")
    path = folder_of(three, whole.images, 2) / "train.npy"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    forget()
    seen = counted_images(monkeypatch)
    with pytest.warns(UserWarning, match="are damaged and are computed again"):
        assert load_features(three, "digits").digest == whole.digest
    assert sum(seen) == len(whole.train_labels), "the other views were whole"


def test_it_is_told_how_much_views_take(three):
    said = []
    fetch_inputs([(DataSpec("digits"), dataclasses.replace(RECIPES["frozen"], model=three.label))], say=said.append)
    images, what = load_set("digits"), f"features of digits by tiny at {SIZE} pixels, 3 views"
    total = 3 * len(images.train_labels) + len(images.test_labels)
    assert said[0] == f"{what}: {total:,} pictures to compute, once, {total * 6 * 2 / 1e6:,.1f} MB"
    assert said[-1].startswith(f"{what}: {total:,} of {total:,}, ")


# Which images have views, and where they are seen -------------------------------------------------


def numbered(count, views, made=0):
    """Features that encode their image and view, 100 · image + view, followed by ``made`` images without other views."""
    said = 100.0 * torch.arange(count + made)[:, None] + torch.arange(views)
    others = said[:count, 1:].half().reshape(count, views - 1, 1, 1, 1)
    return Images(said[:, 0].reshape(-1, 1, 1, 1), torch.arange(count + made), others)


NAMED = dataclasses.replace(RECIPES["frozen"], normalize="none")


def test_a_view_is_drawn_for_each_image_whenever_it_is_drawn_all_as_likely():
    batches, positions = Batches(numbered(3, 4), NAMED), torch.arange(3).repeat(2000)
    made, labels = batches.train(positions, torch.Generator().manual_seed(0))
    drawn = made.flatten() - 100 * positions
    assert made.dtype == torch.float32 and torch.equal(labels, positions) and set(drawn.tolist()) == {0, 1, 2, 3}
    together = torch.stack(list(drawn.reshape(2000, 3)[:, :2].T)).long()
    assert chisquare(torch.bincount(4 * together[0] + together[1], minlength=16)).pvalue > 1e-3, "images of a batch draw apart"
    again, _ = batches.train(positions, torch.Generator().manual_seed(0))
    other, _ = batches.train(positions, torch.Generator().manual_seed(1))
    assert torch.equal(again, made) and not torch.equal(other, made)
    assert batches.plain(torch.tensor([2, 0])).flatten().tolist() == [200, 0]


def test_images_made_of_features_are_seen_as_they_are():
    images = numbered(2, 3, made=2)
    positions = torch.arange(4).repeat(100)
    made, _ = Batches(images, NAMED).train(positions, torch.Generator().manual_seed(0))
    seen = {place: set((made.flatten() - 100 * positions)[positions == place].tolist()) for place in range(4)}
    assert seen == {0: {0, 1, 2}, 1: {0, 1, 2}, 2: {0}, 3: {0}}


def test_one_view_is_a_look_up_that_draws_nothing(frozen_spec):
    spec = frozen_spec()
    training = first_training(spec, draw_images(spec.data, CPU, frozen=Frozen.of(spec.recipe.model)).split)
    before = training.augment.get_state()
    training.run_epoch()
    assert torch.equal(training.augment.get_state(), before)
    assert training.split.train.views is None


def test_training_images_have_views_and_held_out_ones_have_none(three, make_spec):
    spec = make_spec(data={**VALIDATED, "label_fraction": 0.5}).data
    whole, split = load_features(three, "digits"), draw_images(spec, CPU, None, 4, three).split
    chosen = draw(spec, whole.train_labels, 4)
    for role in ("train", "unlabelled", "extra"):
        images, positions = getattr(split, role), getattr(chosen, role)
        assert np.array_equal(images.views, whole.train_views(positions))
        assert np.array_equal(images.pixels, whole.train_pixels(positions))
    assert split.validation.views is split.test.views is None and split.test.pixels.shape[1:] == split.shape
    assert (split.unlabelled.labels == -1).all()


def without_views(images):
    return dataclasses.replace(images, views=None)


def spoilt(images):
    """``images`` with further views that would leave a trace if anything used them."""
    return dataclasses.replace(images, views=torch.full_like(images.views, torch.nan))


def looked_at(spec, split):
    """The trainings of a trial, which are made one after the other without being run."""
    return [stage.training for stage in stages_of(spec).trainings(stage_context(spec, split, CPU))]


@pytest.mark.parametrize(
    ("method", "number", "learnt"),
    [
        ("ncm", -1, lambda last: last.model.classifier.means),
        ("smote_features", -1, lambda last: last.split.train.pixels),
        ("smote", 0, lambda first: first.split.train.pixels),
        ("curriculum", -1, lambda last: last.sampling.rank),
        ("balance_cascade", -2, lambda member: member.sampling.positions),
    ],
)
def test_what_looks_at_images_one_by_one_sees_them_as_they_are(viewed_spec, method, number, learnt):
    spec = viewed_spec(method)
    split = draw_images(spec.data, CPU, frozen=Frozen.of(spec.recipe.model)).split
    with_bad_views, with_none = (
        looked_at(spec, dataclasses.replace(split, train=changed(split.train)))[number] for changed in (spoilt, without_views)
    )
    assert torch.equal(learnt(with_bad_views), learnt(with_none)) and learnt(with_none).isfinite().all()


def test_synthesis_of_pictures_keeps_views_and_that_of_stored_features_has_none(viewed_spec):
    """Views are like crops and flips: pictures are trained on with augmentation, stored features as they are."""
    for method, number, kept in (("smote", 0, True), ("smote_features", -1, False)):
        spec = viewed_spec(method)
        split = draw_images(spec.data, CPU, frozen=Frozen.of(spec.recipe.model)).split
        training = looked_at(spec, dataclasses.replace(split, train=spoilt(split.train)))[number]
        real, made = torch.arange(len(split.train)), torch.arange(len(split.train), len(training.split.train))
        assert len(made) and training.images(made)[0].isfinite().all()
        assert bool(training.images(real)[0].isnan().any()) is kept


def test_meta_images_are_seen_in_any_view_unless_they_are_held_out(viewed_spec):
    for source, drawn in (("train", True), ("extra", True), ("validation", False)):
        spec = viewed_spec("meta_weight_net", {"meta_set": source})
        split = draw_images(spec.data, CPU, None, extra_images(spec), Frozen.of(spec.recipe.model)).split
        bad = {role: spoilt(images) for role in ("train", "extra") if (images := getattr(split, role))}
        images, _ = looked_at(spec, dataclasses.replace(split, **bad))[0].step.meta_batch()
        assert bool(images.isnan().any()) is drawn


# Trials ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["softmax", "mixup", "crt", "smote", "smote_features", "meta_weight_net", "mean_teacher", "ncm", "easy_ensemble"]
)
def test_a_trial_on_views_that_is_killed_goes_on_to_the_same_figures(viewed_spec, frozen_spec, tmp_path, name):
    spec = viewed_spec(name, epochs=3)
    whole = run_trial(spec, Runtime(device="cpu"))
    assert whole.status == "ok", whole.traceback
    runtime = Runtime(device="cpu", checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0)
    steps = trial_steps(spec, runtime)
    next(steps), next(steps)
    steps.close()
    result = run_trial(spec, runtime)
    assert result.environment["resumed_at"] and figures_of(result) == figures_of(whole)
    plain = run_trial(frozen_spec(name, epochs=3), Runtime(device="cpu"))
    assert figures_of(plain) != figures_of(whole) and plain.train_counts == whole.train_counts
    assert plain.environment["features_fingerprint"] != whole.environment["features_fingerprint"]


@pytest.mark.parametrize("name", ["mixup", "crt", "meta_weight_net", "smote_features"])
def test_a_method_is_plain_at_its_neutral_point_on_views_too(viewed_spec, name):
    neutral = METHODS[name].neutral
    own, plainer = viewed_spec(name, dict(neutral.at), epochs=2), viewed_spec(neutral.equals, epochs=2)
    assert figures_of(run_trial(own, Runtime(device="cpu"))) == figures_of(run_trial(plainer, Runtime(device="cpu")))
