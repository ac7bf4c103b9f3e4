"""Trials on features of a frozen backbone: methods for heads work unchanged, and others are rejected before anything starts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.suites.suite import check_specs
from lt_core.errors import UserError
from lt_core.frozen.features import load_features
from lt_core.methods import METHODS
from lt_core.stages import check_trial
from lt_core.testing.trials import figures_of
from lt_core.training import Runtime, run_trial
from lt_core.training.trial import trial_steps

REFUSED = {
    "abc", "bbn", "bi_sampling", "bis", "crest", "crest_plus", "fixmatch", "fixmatch_da", "joint_alt", "joint_aug",
    "manifold_mixup", "range_loss", "self_training", "tail_augmentation",
}  # fmt: skip


def test_methods_that_stored_features_do_not_allow_are_known(frozen_spec):
    found = set()
    for name in METHODS:
        try:
            check_specs([frozen_spec(name)], "here")
        except UserError:
            found.add(name)
    assert found == REFUSED


@pytest.mark.parametrize("name", sorted(set(METHODS) - REFUSED))
def test_every_other_method_trains_on_features_and_is_plain_at_its_neutral_point(frozen_spec, name):
    result = run_trial(frozen_spec(name, epochs=2), Runtime(device="cpu"))
    assert result.status == "ok", result.traceback
    assert result.environment["features_fingerprint"]
    neutral = METHODS[name].neutral
    if neutral.equals and neutral.at:
        plainer, own = frozen_spec(neutral.equals, epochs=2), frozen_spec(name, dict(neutral.at), epochs=2)
        if own.data == plainer.data:
            assert figures_of(run_trial(own, Runtime(device="cpu"))) == figures_of(run_trial(plainer, Runtime(device="cpu")))


@pytest.mark.parametrize("name", ["softmax", "mixup", "meta_weight_net", "crt", "easy_ensemble", "smote_features"])
def test_a_frozen_trial_that_is_killed_goes_on_to_the_same_figures(frozen_spec, tmp_path, name):
    spec = frozen_spec(name, epochs=3)
    whole = figures_of(run_trial(spec, Runtime(device="cpu")))
    runtime = Runtime(device="cpu", checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0)
    steps = trial_steps(spec, runtime)
    next(steps), next(steps)
    steps.close()
    result = run_trial(spec, runtime)
    assert result.environment["resumed_at"] and figures_of(result) == whole


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"pad": 1}, "crops or flips pictures"),
        ({"flip": True, "pad": 0}, "crops or flips pictures"),
        ({"pad": 0, "normalize": "cifar"}, "normalize cifar applies to pixels"),
    ],
)
def test_a_recipe_for_pictures_is_refused(frozen, make_spec, recipe, words):
    with pytest.raises(UserError, match=words):
        check_trial(make_spec(model=frozen.label, **recipe))


def test_a_feature_that_is_the_same_in_all_images_stays_a_number(frozen, make_spec, monkeypatch):
    whole = load_features(frozen, "digits")
    constant = np.array(whole.train_features)
    constant[:, 2] = 3
    flat = dataclasses.replace(whole, train_features=constant)
    monkeypatch.setattr("lt_core.data.trial_images.load_features", lambda *args: flat)
    result = run_trial(make_spec(model=frozen.label, pad=0), Runtime(device="cpu"))
    assert result.status == "ok" and np.isfinite(result.calibration).all()
