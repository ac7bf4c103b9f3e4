from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from lt_core.testing.trials import tiny_spec
from lt_core.training import run_trial
from lt_core.training.evaluate import evaluate
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

CPU = torch.device("cpu")


def test_the_training_loss_is_the_mean_over_images(make_spec, make_split):
    """All images count alike, also those of the smaller last batch. The learning rate is too small for steps to matter."""
    spec = make_spec(model="mlp", lr=1e-12, batch_size=16, pad=0, warmup=0.0, milestones=(), drops=())
    training = Training(spec, make_split([9, 8, 1]), CPU)
    with torch.no_grad():
        outputs = training.outputs(training.batches.normalise(training.split.train.pixels))
    assert training.run_epoch() == pytest.approx(F.cross_entropy(outputs, training.split.train.labels).item(), rel=1e-5)


def test_order_and_augmentation_are_drawn_apart_and_from_the_seed(make_spec, make_split):
    split = make_split([3, 3])
    trainings = [Training(make_spec(seed=seed), split, CPU) for seed in range(5)]
    streams = [torch.rand(4, generator=g).tolist() for t in trainings for g in (t.order, t.augment)]
    assert len({tuple(s) for s in streams}) == 10


def test_evaluation_changes_nothing_and_judges_every_image_alone(make_spec, make_split):
    split = make_split([30, 20, 10])
    training = Training(make_spec(), split, CPU)
    training.run_epoch()
    before = {k: v.clone() for k, v in training.model.state_dict().items()}
    whole = evaluate(training, split.test)
    assert all(torch.equal(v, before[k]) for k, v in training.model.state_dict().items())
    parts = [dataclasses.replace(split.test, pixels=split.test.pixels[i::7], labels=split.test.labels[i::7]) for i in range(7)]
    assert sum(evaluate(training, part).confusion for part in parts).tolist() == whole.confusion.tolist()


@pytest.mark.parametrize(("method", "scale"), [("softmax", 1), ("ldam", 30), ("ldam[scale=7]", 7)])
def test_confidence_is_that_of_the_scaled_logits(make_spec, make_split, method, scale):
    split = make_split([30, 20, 10])
    training = Training(make_spec(method), split, CPU)
    training.run_epoch()
    training.model.eval()
    with torch.no_grad():
        outputs = training.outputs(training.batches.normalise(split.test.pixels))
    expected = (scale * outputs).softmax(1).max(1).values.sum().item()
    assert evaluate(training, split.test).calibration[1].sum() == pytest.approx(expected, rel=1e-5)


def test_a_record_keeps_the_probability_of_each_class(make_spec, make_split):
    """The bins have whole numbers of images, and probabilities to four digits; every class bins every image."""
    split = make_split([30, 20, 10])
    training = Training(make_spec(), split, CPU)
    training.run_epoch()
    training.model.eval()
    with torch.no_grad():
        expected = training.outputs(training.batches.normalise(split.test.pixels)).softmax(1).sum(0)
    kept = evaluate(training, split.test).class_calibration()
    assert [sum(images) for images, _, _ in kept] == [60, 60, 60] and [sum(hits) for _, _, hits in kept] == [30, 20, 10]
    assert all(type(count) is int for images, _, hits in kept for count in (*images, *hits))
    assert [sum(probability) for _, probability, _ in kept] == pytest.approx(expected.tolist(), abs=15 * 5e-5)


def test_influence_weights_may_take_a_part_of_the_rate_while_they_are_in_force(make_spec, make_split):
    spec = make_spec("influence_balanced", {"ib_rate": 0.01}, epochs=4, lr=0.5, warmup_epochs=0, milestones=(0.75,), drops=(0.1,))
    training, rates = Training(spec, make_split([9, 3]), CPU), []
    for _ in range(4):
        training.run_epoch()
        rates.append(training.rate)
    assert rates == pytest.approx([0.5, 0.5, 0.005, 0.0005])


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_smoothed_labels_are_those_of_pytorch_for_cross_entropy(make_spec, make_split, share):
    spec = make_spec(model="mlp", label_smoothing=share)
    training = Training(spec, make_split([9, 8, 1]), CPU)
    with torch.no_grad():
        outputs = training.outputs(training.batches.normalise(training.split.train.pixels))
        labels = training.split.train.labels
        ours = training.objective(outputs, outputs, labels)
    assert ours.item() == pytest.approx(F.cross_entropy(outputs, labels, label_smoothing=share).item(), rel=1e-5)


@pytest.mark.parametrize("method", ["softmax", "ldam_drw", "bbn", "manifold_mixup", "crt"])
def test_the_classifier_sees_features_of_the_length_that_the_recipe_asks_for(method):
    plain, scaled = (run_trial(tiny_spec(method, feature_length=length, epochs=2), Runtime()) for length in (0.0, 7.0))
    assert scaled.status == "ok", scaled.cause
    assert scaled.trial_id != plain.trial_id
    # A classifier of cosines depends only on directions, not on lengths.
    assert (scaled.confusion == plain.confusion) == (method == "ldam_drw")


def test_features_of_one_length_keep_their_direction(make_spec, make_split):
    split = make_split([9, 8, 1])
    plain, scaled = (Training(make_spec(model="mlp", feature_length=length), split, CPU) for length in (0.0, 5.0))
    images = plain.batches.normalise(split.train.pixels)
    (_, as_they_are), (outputs, features) = plain.forward(images), scaled.forward(images)
    assert torch.allclose(features, 5 * F.normalize(as_they_are, dim=1), atol=1e-5)
    assert torch.allclose(outputs, scaled.model.classify(features))


def test_a_last_batch_of_one_image_that_batch_norm_cannot_take_is_refused_before_the_first_step():
    """82 images in batches of 9 leave one over. In a ResNet for photographs, digits of 8 × 8 pixels become a single pixel."""
    two = {"dataset": "digits_0v1", "imbalance_factor": 1, "n_max": 41}
    result = run_trial(tiny_spec(data=two, model="resnet18", batch_size=9, epochs=1), Runtime(device="cpu"))
    assert result.status == "failed" and result.cause.endswith(
        "the last batch of each epoch has one image, which resnet18 cannot normalise: change batch_size from 9, for example to 10"
    )
    assert run_trial(tiny_spec(data=two, model="small_cnn", batch_size=9, epochs=1), Runtime(device="cpu")).status == "ok"
