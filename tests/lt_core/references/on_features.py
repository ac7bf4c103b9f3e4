"""Second stages on stored features, to which SMOTE has added synthetic ones."""

from __future__ import annotations

import torch

from lt_core.data.loader import Images, Split
from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.more_images import between, in_danger
from tests.lt_core.references.ours import objective_agrees
from tests.lt_core.references.scalars import cross_entropy, mean_of
from tests.lt_core.references.two_stage import features_of, trainings


def check_on_features(case: Case, method: str, borderline: bool) -> None:
    """Compare the synthetic features with those that brute force makes from the stored ones."""
    if case.classes > 10:
        return  # the points always have four classes, so cases with a hundred would only repeat the others
    sizes = (20, 12, 7, 1)
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    pixels = torch.randint(0, 256, (40, 4, 4, 1), generator=torch.Generator().manual_seed(case.seed), dtype=torch.uint8)
    images = Images(pixels, torch.tensor(labels))
    first, second = trainings(method, Split(images, images, images, torch.tensor(sizes).double(), (4, 4, 1)))
    points = features_of(first, first.batches.normalise(pixels)).double().tolist()
    expected = list(points)
    for c, size in enumerate(sizes[1:], start=1):
        mine = [i for i, label in enumerate(labels) if label == c]
        bases = [i for i in mine if in_danger(i, points, labels)] if borderline else mine
        if size == 1:
            expected += [points[mine[0]]] * 19
        elif bases:
            expected += between(bases, mine, points, 20 - size, min(5, size - 1), first.spec.seed)
    agree(second.split.train.pixels[:, 0, 0], expected, f"features of {method}, {case}")
    objective_agrees(case, method, mean_of(cross_entropy))


def check_smote_features(case: Case) -> None:
    check_on_features(case, "smote_features", borderline=False)


def check_borderline_smote_features(case: Case) -> None:
    check_on_features(case, "borderline_smote_features", borderline=True)


STORED = (
    (
        "The features of the images are computed and stored once, without augmentation.",
        "A synthetic point needs neighbours that stay where they are.",
    ),
)

REFERENCES = (
    Reference(
        "smote_features",
        "no public code; Chawla et al. 2002, section 4.2, on the features of Kang et al. 2020",
        f"the synthetic features with those of a brute-force search on forty images of four classes, and {OBJECTIVE}",
        check_smote_features,
        STORED,
    ),
    Reference(
        "borderline_smote_features",
        "no public code; Han et al. 2005, section 3, on the features of Kang et al. 2020",
        f"the synthetic features with those of a brute-force search on forty images of four classes, and {OBJECTIVE}",
        check_borderline_smote_features,
        STORED,
    ),
)
