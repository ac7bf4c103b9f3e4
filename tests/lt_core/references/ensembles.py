"""EasyEnsemble, BalanceCascade and the curriculum: which images each training gets, and how several models are combined."""

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
    "a network on each part, whose probabilities are averaged",
    "the paper boosts weak learners on each part and takes the sign of the sum of all of them: a network is no weak learner",
)
MULTI = ("every class against the smallest", "the paper has two classes; for two this is its algorithm")


def probabilities(training, images) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The probabilities of a single member: [N, C]."""
    training.model.eval()
    with torch.no_grad():
        logits = training.model(training.batches.normalise(images.pixels)).double().numpy()
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def check(case: Case, method: str, members: int) -> None:
    """Members need not be trained, because parts and pools follow from any predictions."""
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
        assert len(set(part)) == len(part) and set(part) <= pool, "a part comes from the pool"
        assert [sum(labels[i] == c for i in part) for c in range(case.classes)] == [smallest] * case.classes
        made.append(training)
        said.append(probabilities(training, split.train))
        if method == "balance_cascade":
            known = sum(said) / len(said)
            for label, size in enumerate(case.counts):
                # After each round, the share f = (|P|/|N|)^(1/(T−1)) of N is left.
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
    """Difficulty is the first model's loss. Each line has a growing share of each class, the easiest first, for all classes
    alike.
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
        "images of each class in each part; the average of the members",
        check_easy_ensemble,
        deviations=(
            AVERAGE,
            MULTI,
            (
                "an epoch of a member passes over its part several times",
                "so that all together see as many images as one training",
            ),
        ),
    ),
    Reference(
        "balance_cascade",
        PAPER.format("algorithm 2"),
        "images of each class in each part, sizes kept after each round, which are dropped; the average of the members",
        check_balance_cascade,
        deviations=(
            AVERAGE,
            MULTI,
            (
                "the ensemble so far ranks the images, where the paper sets the threshold of the last model",
                "what is well known is to be judged by what will be evaluated; as many images are dropped",
            ),
        ),
    ),
    Reference(
        "curriculum",
        "no public code; the source slides, after Bengio et al. 2009, section 2",
        "which images may be drawn at three times, the classes' shares of the draws, and the plain part",
        check_curriculum,
        tolerance="exact; shares of draws within five standard deviations",
    ),
)
