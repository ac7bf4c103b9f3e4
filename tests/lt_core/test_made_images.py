"""Scores of generated images: closed forms, cases by hand, and the judge of a trial."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lt_core import features
from lt_core.data.sets import DATASETS
from lt_core.features import features_of, probabilities_of, seen_of
from lt_core.generation.scores import Judge, kernel_distance, near_copies, nearest, scores
from lt_core.testing.trials import tiny_spec
from lt_core.training import Runtime, run_trial
from lt_core.training.judging import judges_trial
from lt_core.training.loop import Training


def test_the_kernel_distance_is_that_of_the_sums_in_loops():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 3, generator=generator), torch.randn(4, 3, generator=generator) + 1

    def kernel(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    within = [
        sum(kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j) / (len(z) * (len(z) - 1)) for z in (x, y)
    ]
    between = sum(kernel(a, b) for a in x for b in y) / 20
    assert kernel_distance(x, y) == pytest.approx(within[0] + within[1] - 2 * between, rel=1e-5)
    assert math.isnan(kernel_distance(x[:1], y))


def test_it_has_no_bias_at_small_numbers():
    """For two samples of one distribution it is 0 on average, whatever their size."""
    generator = torch.Generator().manual_seed(1)
    drawn = [kernel_distance(*torch.randn(2, 6, 4, generator=generator)) for _ in range(3000)]
    assert abs(np.mean(drawn)) < 3 * np.std(drawn) / math.sqrt(len(drawn))


def images(*values):
    return torch.tensor(values, dtype=torch.uint8).reshape(-1, 1, 1, 1)


def test_a_copy_is_nearer_than_reality_comes():
    trained_on, unseen = images(0, 100), images(10, 130)  # the nearest real image lies 10 away
    assert near_copies(images(0, 5, 9, 10, 50), trained_on, unseen) == 3 / 5
    assert math.isnan(near_copies(images(1), trained_on, unseen[:0]))


@given(st.integers(1, 40), st.integers(1, 7))
def test_the_nearest_is_the_nearest(n, m):
    generator = torch.Generator().manual_seed(n * 100 + m)
    a, b = (torch.randint(0, 256, (k, 2, 2, 1), generator=generator, dtype=torch.uint8) for k in (n, m))
    by_hand = [min(math.dist(one.flatten().tolist(), other.flatten().tolist()) for other in b) for one in a]
    assert nearest(a, b).tolist() == pytest.approx(by_hand)


def test_scores_say_how_often_an_image_is_taken_for_its_class():
    def say(pixels):
        bright = (pixels.flatten(1).float().mean(1) > 100).long()
        return torch.nn.functional.one_hot(bright, 2).float(), pixels.flatten(1).float() / 255

    found = scores(images(200, 210, 5, 220), 1, images(150), images(160, 170, 180), Judge(say, 0.9, "a threshold"))
    assert (found["images"], found["unseen"], found["inception_accuracy"], found["judge_accuracy"]) == (4, 3, 0.75, 0.9)
    assert found["near_copies"] == 0


def test_the_judge_is_trained_on_balanced_real_images():
    spec = tiny_spec("joint_aug", data={"dataset": "digits_3v5", "imbalance_factor": 10, "n_max": 40})
    own = judges_trial(spec)
    assert (own.data.imbalance_factor, own.method.name, own.recipe) == (1, "softmax", spec.recipe)
    assert own.data.n_max == 132, "as many as the smaller class has in all"


@pytest.mark.parametrize(("dataset", "each"), [("fashion_mnist", 6_000), ("mnist_4v9", 5_842), ("celeba_male_128px", 6_000)])
def test_a_judge_is_trained_on_6000_images_of_each_class_at_most(dataset, each):
    """Of CelebA's 68,261 men and 94,509 women too; smaller sets have the judge, and the shared file, that they would have."""
    spec = tiny_spec("joint_aug", data={"dataset": dataset, "imbalance_factor": 10, "n_max": 40})
    whole = dataclasses.replace(spec.data, imbalance_factor=1.0, n_max=min(DATASETS[dataset].train_counts))
    assert judges_trial(spec).data.n_max == each
    same = judges_trial(spec).trial_id == dataclasses.replace(judges_trial(spec), data=whole).trial_id
    assert same == (dataset != "celeba_male_128px")


def test_a_judge_looks_at_each_image_once_and_sees_what_it_did(make_split, monkeypatch):
    training = Training(tiny_spec("logit_adjusted_posthoc"), make_split([40, 20, 5]), torch.device("cpu"))
    images = training.split.train
    monkeypatch.setattr(features, "BATCH", 16)
    apart = probabilities_of(training, images), features_of(training, images)
    passed, forward = [], training.forward
    monkeypatch.setattr(training, "forward", lambda shown, **keys: passed.append(len(shown)) or forward(shown, **keys))
    probabilities, found = seen_of(training, images)
    assert torch.equal(probabilities, apart[0]) and torch.equal(found, apart[1])
    assert passed == [16, 16, 16, 16, 1]


def test_a_trial_that_is_asked_for_pictures_has_them_scored_and_is_no_other(tmp_path):
    spec = tiny_spec("joint_aug", data={"dataset": "digits_3v5", "imbalance_factor": 10, "n_max": 40})
    plain = run_trial(spec, Runtime(device="cpu"))
    folders = (None, str(tmp_path), str(tmp_path))
    results = [run_trial(spec, Runtime(device="cpu", embed=True, stages=folder)) for folder in folders]
    for result in results:
        assert result.confusion == plain.confusion and result.status == "ok", result.traceback
        (picture,) = result.pictures
        assert picture["scores"]["images"] == 40 and 0 <= picture["scores"]["near_copies"] <= 1
        assert picture["scores"] == results[0].pictures[0]["scores"], "a judge trained before is the same"
    assert (tmp_path / f"{judges_trial(spec).trial_id}.cpu-float32.pt").exists(), "it is kept for other trials of the run"
