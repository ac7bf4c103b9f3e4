"""Labelled and unlabelled sets: their sizes, their images, and the labels that training may not see."""

from __future__ import annotations

import ast
import gc
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import lt_core
from lt_core.data.draw import Draw, draw
from lt_core.data.images import ImageSet
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.data.trial_images import HiddenLabels, TrialImages, draw_images
from lt_core.data.unlabelled import semi_sizes
from lt_core.errors import UserError
from lt_core.spec import DataSpec
from lt_core.training import Runtime, run_trial, running
from lt_core.training.book import Clock
from lt_core.training.diagnosis import diagnose

CIFAR10 = [5000] * 10


def cifar(**keys):
    return DataSpec("cifar10", imbalance_factor=100, **keys)


def test_a_fraction_is_rounded_up_class_by_class():
    """⌈β·n_c⌉ of 5000, 2997, …, 50 are labelled (CReST's public code), and the rest is unlabelled."""
    labelled, unlabelled = semi_sizes(cifar(label_fraction=0.1), CIFAR10)
    assert labelled == [500, 300, 180, 108, 65, 39, 24, 14, 9, 5]
    assert [a + b for a, b in zip(labelled, unlabelled, strict=True)] == [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


def test_a_ratio_draws_an_unlabelled_set_of_its_own():
    """N₁ = 1500, λ = 2 (Bi-Sampling, DARP): 1500 … 15 labelled and 3000 … 30 unlabelled images, or reversed, or uniform."""
    keys = {"n_max": 1500, "unlabelled_ratio": 2.0}
    labelled, unlabelled = semi_sizes(cifar(**keys), CIFAR10)
    assert labelled[0] == 1500 and labelled[-1] == 15 and unlabelled[0] == 3000 and unlabelled[-1] == 30
    assert semi_sizes(cifar(**keys, unlabelled_order="reversed"), CIFAR10) == (labelled, unlabelled[::-1])
    assert semi_sizes(cifar(**keys, unlabelled_imbalance=1), CIFAR10)[1] == [3000] * 10
    shuffled = semi_sizes(cifar(**keys, class_order_seed=3, unlabelled_order="reversed"), CIFAR10)
    assert np.argsort(shuffled[0]).tolist() == np.argsort(shuffled[1])[::-1].tolist()


def test_what_cannot_be_drawn_is_refused_with_the_way_out():
    with pytest.raises(UserError, match=r"unlabelled set: .* needs 6000 images"):
        semi_sizes(cifar(n_max=3000, unlabelled_ratio=2.0), CIFAR10)
    with pytest.raises(UserError, match="class 0 has 5000 images, fewer than 2500 labelled, 3000 unlabelled and 0 for"):
        semi_sizes(cifar(n_max=2500, unlabelled_ratio=1.2), CIFAR10)
    with pytest.raises(UserError, match=r"label_fraction 0\.9 every image keeps its label.*: lower label_fraction"):
        semi_sizes(DataSpec("cifar10", n_max=5, label_fraction=0.9), CIFAR10)
    for keys, words in (
        ({"label_fraction": 0.1, "unlabelled_ratio": 1.0}, "belong to different protocols"),
        ({"unlabelled_order": "reversed"}, "need unlabelled_ratio"),
        ({"unlabelled_labelled": False}, "unlabelled_labelled needs label_fraction or unlabelled_ratio"),
        ({"label_fraction": 0.0}, "label_fraction must be in"),
    ):
        with pytest.raises(UserError, match=words):
            cifar(**keys)


def test_a_split_holds_no_labels_of_unlabelled_images(make_spec):
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}).data
    split = draw_images(spec, torch.device("cpu")).split
    labelled, unlabelled = semi_sizes(spec, DATASETS["digits"].train_counts)
    assert split.counts.tolist() == labelled and len(split.unlabelled) == sum(unlabelled)
    integers = [v for v in vars(split).values() if isinstance(v, torch.Tensor) and v.dtype == torch.int64]
    assert not integers, "only Images carry labels"
    assert (split.unlabelled.labels == -1).all()


def true_labels(spec):
    """The labels of the unlabelled images, in order, from the set itself."""
    labels = load_set(spec.dataset).train_labels
    return torch.from_numpy(np.array(labels[draw(spec, labels).unlabelled]))


def test_hidden_labels_are_counted_against_and_not_read(make_spec):
    spec = make_spec(data={"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}).data
    hidden, true = draw_images(spec, torch.device("cpu")).hidden, true_labels(spec)
    _, unlabelled = semi_sizes(spec, DATASETS["digits"].train_counts)
    assert np.array_equal(hidden.confusion(true), np.diag(unlabelled))
    guess = torch.randint(0, 10, true.shape, generator=torch.Generator().manual_seed(0))
    expected = np.zeros((10, 10), dtype=int)
    for row, column in zip(true.tolist(), guess.tolist(), strict=True):
        expected[row, column] += 1
    assert np.array_equal(hidden.confusion(guess), expected)
    assert [name for name in dir(hidden) if not name.startswith("_")] == ["confusion"]


METHODS = pytest.mark.parametrize("method", ["crest", "fixmatch", "bi_sampling", "mean_teacher"])


@pytest.fixture
def semi_spec(make_spec):
    """A short trial of a method with unlabelled images."""

    def make(method):
        at = {"generations": 2} if method == "crest" else {}
        drawn = {"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}
        return make_spec(method, at, data=drawn, steps=4, epochs=2, ema=0.9)

    return make


@METHODS
def test_hidden_labels_reach_no_training_code(semi_spec, figures, monkeypatch, method):
    """If all hidden labels are wrong, the models are the same, and only the diagnosis differs."""
    spec = semi_spec(method)
    told = run_trial(spec)
    assert told.status == "ok", told.traceback
    wrong = HiddenLabels((true_labels(spec.data) + 1) % 10, 10)
    monkeypatch.setattr(running, "draw_images", lambda *args: replace(draw_images(*args), hidden=wrong))
    untold = run_trial(spec)
    assert figures(untold) == figures(told)
    assert untold.generations != told.generations


def reachable(start):
    """Everything that can be reached from ``start`` through attributes (including private ones), containers, closures and
    generators. What any code can import is left out: modules, classes and the globals of functions.
    """
    seen, left = {}, [start]
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, (types.ModuleType, type)) or (isinstance(item, dict) and "__builtins__" in item):
            continue
        seen[id(item)] = item
        if isinstance(item, types.FunctionType):
            left += [item.__closure__, item.__defaults__, item.__kwdefaults__]
        else:
            left += gc.get_referents(item)
    return list(seen.values())


def leaks(start, hidden):
    """The objects reachable from ``start`` that lead to the labels ``hidden`` [U]."""
    return [
        type(item).__name__
        for item in reachable(start)
        if isinstance(item, (HiddenLabels, TrialImages, Draw, ImageSet))
        or (isinstance(item, (torch.Tensor, np.ndarray)) and item.shape == hidden.shape and (item == hidden).all())
    ]


@METHODS
def test_no_object_that_trains_leads_to_the_hidden_labels(semi_spec, monkeypatch, method):
    """This covers everything that a training has when it ends, and everything that the trial has besides its images."""
    spec = semi_spec(method)
    hidden, trained = true_labels(spec.data), []
    made = running.RunningTrial(spec, Runtime(), Clock())
    assert set(leaks(made.images, hidden)) == {"TrialImages", "HiddenLabels", "Tensor"}, "the walk finds what is there"
    assert leaks({k: v for k, v in vars(made).items() if k != "images"}, hidden) == []

    def diagnosed(training, *args):
        trained.append(leaks(training, hidden))
        return diagnose(training, *args)

    monkeypatch.setattr(running, "diagnose", diagnosed)
    result = run_trial(spec)
    assert result.status == "ok", result.traceback
    assert trained == [[]] * len(result.generations) and result.generations


def test_only_the_trial_draws_images_and_only_the_diagnosis_sees_hidden_labels():
    """Lists the modules of lt_core that import, even for types, something that leads from a set's name to all its labels."""
    root = Path(lt_core.__file__).parent
    tracked = "data.trial_images", "data.draw", "data.sources", "data.images", "frozen.features", "frozen.compute", "frozen.fetch"
    importers = {f"lt_core.{name}": set() for name in tracked}
    askers = set()
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            if names in (["lt_core.data"], ["lt_core.frozen"]):
                names = [f"{names[0]}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in set(names) & set(importers):
                importers[name].add(file.relative_to(root).as_posix())
            if isinstance(node, ast.Attribute) and node.attr == "hidden":
                askers.add(file.relative_to(root).as_posix())
    assert importers == {
        "lt_core.data.trial_images": {"training/running.py", "training/diagnosis.py", "training/judging.py"},
        "lt_core.data.draw": {"data/trial_images.py"},
        # found.py and pictures/ make sets; testing/datasets.py checks those of authors; frozen/fetch.py prepares everything
        "lt_core.data.sources": {"data/trial_images.py", "testing/datasets.py", "frozen/features.py", "frozen/fetch.py"},
        "lt_core.data.images": {
            "data/sources.py",
            "data/found.py",
            "data/pictures/source.py",
            "data/pictures/standard.py",
            "data/trial_images.py",
            "testing/datasets.py",
            "frozen/features.py",
            "frozen/compute.py",
        },
        "lt_core.frozen.features": {"data/trial_images.py", "frozen/fetch.py"},
        "lt_core.frozen.compute": {"frozen/features.py", "frozen/fetch.py"},
        "lt_core.frozen.fetch": set(),
    }
    assert askers == {"training/running.py"}
