"""Labelled and unlabelled sets: their sizes, their images, and the labels that training may not see."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lt_core
from lt_core.data.loader import hidden_labels, load_split
from lt_core.data.unlabelled import semi_indices, semi_sizes
from lt_core.errors import UserError
from lt_core.spec import DataSpec
from lt_core.training import run_trial, trial

CIFAR10 = [5000] * 10
LABELS = np.repeat(np.arange(10), 130)


def cifar(**keys):
    return DataSpec("cifar10", imbalance_factor=100, **keys)


def test_a_fraction_is_rounded_up_class_by_class():
    """⌈β·n_c⌉ of 5000, 2997, …, 50 (CReST's public code); the rest is unlabelled."""
    labelled, unlabelled = semi_sizes(cifar(label_fraction=0.1), CIFAR10)
    assert labelled == [500, 300, 180, 108, 65, 39, 24, 14, 9, 5]
    assert [a + b for a, b in zip(labelled, unlabelled, strict=True)] == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


def test_a_ratio_draws_an_unlabelled_set_of_its_own():
    """N₁ = 1500, λ = 2 (Bi-Sampling, DARP): 1500 … 15 labelled, 3000 … 30 unlabelled; reversed, or uniform."""
    keys = {"n_max": 1500, "unlabelled_ratio": 2.0}
    labelled, unlabelled = semi_sizes(cifar(**keys), CIFAR10)
    assert labelled[0] == 1500 and labelled[-1] == 15 and unlabelled[0] == 3000 and unlabelled[-1] == 30
    assert semi_sizes(cifar(**keys, unlabelled_order="reversed"), CIFAR10) == (labelled, unlabelled[::-1])
    assert semi_sizes(cifar(**keys, unlabelled_imbalance=1), CIFAR10)[1] == [3000] * 10
    shuffled = semi_sizes(cifar(**keys, class_order_seed=3, unlabelled_order="reversed"), CIFAR10)
    assert np.argsort(shuffled[0]).tolist() == np.argsort(shuffled[1])[::-1].tolist()


def test_what_cannot_be_drawn_is_refused_with_the_way_out():
    with pytest.raises(UserError, match=r"unlabelled set: .* asks for 6000 images"):
        semi_sizes(cifar(n_max=3000, unlabelled_ratio=2.0), CIFAR10)
    with pytest.raises(UserError, match="class 0 has 5000 images, fewer than 2500 labelled, 3000 unlabelled and 0 for"):
        semi_sizes(cifar(n_max=2500, unlabelled_ratio=1.2), CIFAR10)
    for keys, words in (
        ({"label_fraction": 0.1, "unlabelled_ratio": 1.0}, "two protocols"),
        ({"unlabelled_order": "reversed"}, "go with unlabelled_ratio"),
        ({"unlabelled_labelled": False}, "goes with label_fraction or unlabelled_ratio"),
        ({"label_fraction": 0.0}, "label_fraction must be in"),
    ):
        with pytest.raises(UserError, match=words):
            cifar(**keys)


@settings(deadline=None, max_examples=60)
@given(
    beta=st.floats(0.01, 0.99), ratio=st.floats(0.2, 1.5), factor=st.floats(1, 30), seed=st.integers(0, 5),
    held=st.integers(0, 3), by_ratio=st.booleans(),
)  # fmt: skip
def test_labelled_unlabelled_and_validation_images_never_overlap(beta, ratio, factor, seed, held, by_ratio):
    from lt_core.data.longtail import split_indices

    share = {"unlabelled_ratio": ratio, "n_max": 50} if by_ratio else {"label_fraction": beta, "n_max": 120}
    spec = DataSpec("digits", imbalance_factor=factor, subset_seed=seed, validation=held, **share)
    labelled, unlabelled = semi_indices(spec, LABELS)
    _, validation = split_indices(spec, LABELS)
    everything = np.concatenate([labelled, unlabelled, validation])
    assert len(set(everything.tolist())) == len(everything)
    assert (np.bincount(LABELS[labelled], minlength=10) >= 1).all()


def test_folds_are_draws_of_the_subset_seed():
    folds = [
        set(semi_indices(DataSpec("digits", imbalance_factor=10, label_fraction=0.3, subset_seed=s), LABELS)[0]) for s in (0, 1)
    ]
    assert folds[0] != folds[1]


def test_a_split_holds_no_labels_of_unlabelled_images(make_spec):
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}).data
    split, hidden = load_split(spec, torch.device("cpu")), hidden_labels(spec, torch.device("cpu"))
    labelled, unlabelled = semi_sizes(spec, [130] * 10)
    assert split.counts.tolist() == labelled and torch.bincount(hidden).tolist() == unlabelled
    assert len(split.unlabelled) == len(hidden)
    integers = [v for v in vars(split).values() if isinstance(v, torch.Tensor) and v.dtype == torch.int64]
    assert not integers, "only Images carry labels, and the unlabelled set is none"


@pytest.mark.parametrize("method", ["crest", "fixmatch", "bi_sampling", "mean_teacher"])
def test_hidden_labels_reach_no_training_code(make_spec, figures, monkeypatch, method):
    """With all hidden labels wrong the same models come out; the diagnosis alone differs."""
    at = {"generations": 2} if method == "crest" else {}
    spec = make_spec(method, at, data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}, steps=4, epochs=2, ema=0.9)
    told = run_trial(spec)
    assert told.status == "ok", told.traceback
    monkeypatch.setattr(trial, "hidden_labels", lambda *a: (hidden_labels(*a) + 1) % 10)
    untold = run_trial(spec)
    assert figures(untold) == figures(told)
    assert untold.rounds != told.rounds


def test_only_the_diagnosis_asks_for_hidden_labels():
    root = Path(lt_core.__file__).parent
    users = set()
    for file in root.rglob("*.py"):
        names = {n.id for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Name)}
        if "hidden_labels" in names:
            users.add(file.relative_to(root).as_posix())
    assert users == {"training/trial.py"}
