"""EasyEnsemble, BalanceCascade and the curriculum: the images of each training, and the combination of several models."""

from __future__ import annotations

import random

import numpy as np
import torch

from lt_core.stages import stages_of
from lt_core.stages.curriculum import EasyFirst
from lt_core.training.running import stage_context
from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.ours import CPU, spec_of, split_of

PAPER = "no public code that could be read (the authors' is MATLAB); Liu, Wu and Zhou 2009, {}"
AVERAGE = (
    "We train one network on each subset and average their class probabilities. The paper boosts weak learners on each subset "
    "and takes the sign of the sum of all of them.",
    "A network is not a weak learner.",
)
MULTI = (
    "Every class is balanced against the smallest class, whereas the paper has only two classes.",
    "With two classes, the subsets are drawn as in the paper.",
)


def probabilities(training, images) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The class probabilities that one member predicts: [N, C]."""
    training.model.eval()
    with torch.no_grad():
        logits = training.model(training.batches.normalise(images.pixels)).double().numpy()
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def check(case: Case, method: str, members: int) -> None:
    """Compare the subsets, the pools and the average. The members need no training, because any predictions determine these."""
    spec = spec_of(method, {"members": members}, epochs=1)
    split = split_of(case.classes, case.seed)
    labels, smallest = split.train.labels.tolist(), min(case.counts)
    pool, said, made = set(range(len(labels))), [], []
    for number, stage in enumerate(stages_of(spec).trainings(stage_context(spec, split, CPU))):
        training = stage.training
        if number == members:
            whole = training
            break
        part = training.sampling.positions.tolist()
        assert len(set(part)) == len(part) and set(part) <= pool, "a subset comes from the pool"
        assert [sum(labels[i] == c for i in part) for c in range(case.classes)] == [smallest] * case.classes
        made.append(training)
        said.append(probabilities(training, split.train))
        if method == "balance_cascade":
            known = sum(said) / len(said)
            for label, size in enumerate(case.counts):
                # Each round leaves the share f = (|P|/|N|)^(1/(T−1)) of N.
                left = size
                for _ in range(number + 1):
                    left = left * (smallest / size) ** (1 / (members - 1))
                mine = sorted((i for i in pool if labels[i] == label), key=lambda i: (known[i, label], i))
                pool -= set(mine[max(smallest, round(left)) :])
    assert len({tuple(sorted(t.sampling.positions.tolist())) for t in made}) == members
    agree(
        torch.from_numpy(probabilities(whole, split.test)),
        torch.from_numpy(sum(said) / members),
        f"probabilities of {method}, {case}",
    )


def check_easy_ensemble(case: Case) -> None:
    if case.seed == 0:
        check(case, "easy_ensemble", 3)


def check_balance_cascade(case: Case) -> None:
    if case.seed == 0:
        check(case, "balance_cascade", 3)


def check_curriculum(case: Case) -> None:
    """Images are ranked within their class by difficulty, the loss of the first model. A growing share of each class, the easiest
    images first, may be drawn, and all classes are equally likely.
    """
    split = split_of(case.classes, case.seed)
    labels, draw = split.train.labels.tolist(), random.Random(case.seed)
    place = [0.0] * len(labels)
    for label, size in enumerate(case.counts):
        mine = [i for i, y in enumerate(labels) if y == label]
        draw.shuffle(mine)
        for position, image in enumerate(mine):
            place[image] = position / size
    sampling, counts = EasyFirst(torch.tensor(place), 0.3, 0.5), torch.tensor(case.counts)
    for progress in (0.0, 0.25, 0.49):
        share = 0.3 + 0.7 * progress / 0.5
        drawn = [
            i
            for s in range(8)
            for i in sampling.epoch(split.train.labels, counts, torch.Generator().manual_seed(s), progress).tolist()
        ]
        assert share - 0.05 < max(place[i] for i in drawn) < share
        of_class = [0] * case.classes
        for i in drawn:
            of_class[labels[i]] += 1
        expected = len(drawn) / case.classes
        assert all(abs(n - expected) < 5 * expected**0.5 for n in of_class), "classes alike"
    late = sampling.epoch(split.train.labels, counts, torch.Generator(), 0.5).tolist()
    assert sorted(late) == list(range(len(labels)))


REFERENCES = (
    Reference(
        "easy_ensemble",
        PAPER.format("algorithm 1"),
        "the number of images of each class in each subset, and the average of the members",
        check_easy_ensemble,
        deviations=(
            AVERAGE,
            MULTI,
            (
                "In one epoch, a member passes over its subset several times.",
                "All members together then see as many images as a single training does.",
            ),
        ),
    ),
    Reference(
        "balance_cascade",
        PAPER.format("algorithm 2"),
        "the number of images of each class in each subset, the number that is left after each round, the images that "
        "are removed, and the average of the members",
        check_balance_cascade,
        deviations=(
            AVERAGE,
            MULTI,
            (
                "The ensemble so far ranks the images that may be removed, whereas the paper sets a threshold on the last "
                "model. Both remove the same number of images.",
                "The ensemble is what will be evaluated, so it should decide which images are classified well.",
            ),
        ),
    ),
    Reference(
        "curriculum",
        "no public code; the slides that this project started from, after Bengio et al. 2009, section 2",
        "the images that may be drawn at three points in time, the share of each class among them, and the second half of "
        "training, in which an epoch has every image once",
        check_curriculum,
        tolerance="five standard deviations for the shares of the classes, and zero for the rest",
    ),
)
