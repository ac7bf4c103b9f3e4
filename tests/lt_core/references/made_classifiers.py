"""Classifiers that are derived from a first stage without training: τ-normalisation and nearest class means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from lt_core.data.loader import Images
from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.ours import split_of
from tests.lt_core.references.two_stage import DECOUPLING, features_of, stages, trainings


def normalised(weight: np.ndarray, tau: float) -> np.ndarray:
    """`pnorm`: each row divided by a power of its norm."""
    return np.stack([row / np.sqrt(sum(w * w for w in row)) ** tau for row in weight])


def check_tau_norm(case: Case) -> None:
    """w_c/‖w_c‖^τ·x without a bias, with the τ among 0, 0.1, …, 2 that has the best balanced accuracy on held-out images."""
    split = split_of(case.classes, case.seed)
    few = split.train.labels < min(case.classes, 10)
    held_out = Images(split.train.pixels[few], split.train.labels[few])
    for tau in (0.0, 0.7, 2.0, None):
        given = {"norm_tau": tau}
        begun, ended = stages("tau_norm", replace(split, validation=held_out), given)
        first, last = begun.training, ended.training
        weight = first.model.classifier.weight.detach().double().numpy()
        if tau is None:
            x = features_of(first, first.batches.normalise(held_out.pixels)).double().numpy()
            labels, accuracies = held_out.labels.numpy(), []
            for candidate in np.linspace(0, 2, 21):
                hits = (x @ normalised(weight, candidate).T).argmax(1) == labels
                accuracies.append(np.mean([hits[labels == c].mean() for c in np.unique(labels)]))
            tau = float(np.linspace(0, 2, 21)[int(np.argmax(accuracies))])
            assert abs(ended.chosen["norm_tau"] - tau) < 1e-9
        x = torch.cat([case.features] * 11, 1)[:, :64]
        expected = x.numpy() @ normalised(weight, tau).T
        agree(last.model.classifier(x.float()), torch.from_numpy(expected), f"outputs of tau_norm, τ {tau}, {case}")


def check_ncm(case: Case) -> None:
    """`cl2n` and `l2` of KNNClassifier: centred features of length one, and minus the squared distance to class means."""
    split = split_of(case.classes, case.seed)
    first, last = trainings("ncm", split)
    x = features_of(first, first.batches.normalise(split.train.pixels)).double().numpy()
    centre = x.mean(axis=0)
    unit = np.stack([(row - centre) / np.sqrt(((row - centre) ** 2).sum()) for row in x])
    labels = split.train.labels.numpy()
    means = np.stack([unit[labels == c].mean(axis=0) for c in range(case.classes)])
    expected = [[-float(((row - mean) ** 2).sum()) for mean in means] for row in unit[:20]]
    found = last.model.classifier(torch.from_numpy(x[:20]).float())
    agree(found, expected, f"outputs of ncm, {case}")


REFERENCES = (
    Reference(
        "tau_norm",
        DECOUPLING.format("tau_norm.py"),
        "the outputs at τ = 0, 0.7 and 2, and the τ that is chosen",
        check_tau_norm,
        (
            (
                "We choose τ on the validation split, whereas the code prints the test accuracy of every τ.",
                "The paper says that τ is chosen on a validation set.",
            ),
        ),
    ),
    Reference("ncm", DECOUPLING.format("models/KNNClassifier.py, run_networks.py"), "the outputs for twenty images", check_ncm),
)
