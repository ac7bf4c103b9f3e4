"""Methods that also learn from unlabelled images: pseudo-labels, mean teacher, FixMatch and the methods based on it."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import torch
from torch import Tensor

from lt_core.data.longtail import ideal_sizes
from lt_core.fields import build
from lt_core.spec import DataSpec
from lt_core.stages.crest import align_powers, keep_rates, select
from lt_core.steps.fixmatch import pass_rates
from lt_core.training.loop import Training
from tests.lt_core.references.base import BATCH, Case, Reference, agree
from tests.lt_core.references.ours import CPU, class_probabilities_agree, part_of, spec_of, split_of
from tests.lt_core.references.scalars import Row, cross_entropy, log_sum_exp, rows_of, slopes, total

FIXMATCH = "google-research/fixmatch {} @ d4985a1"
CREST = "google-research/crest fixmatch.py, util/semisup.py, data/cifar.py @ e270139"
ABC = "LeeHyuck/ABC ABCcode0920/ABCfix.py @ f70e926"
BIS = "TACJu/Bi-Sampling {} @ bcdae91"
THRESHOLD = 0.95

ONE_PASS = (
    "Labelled images, weak views and strong views go through the network together. The code of Bi-Sampling and of ABC passes "
    "some of them through it by themselves, so that batch norm uses the statistics of each batch alone.",
    "Ours is what the code of FixMatch and of CReST does.",
)
PROFILE = (
    "The pass rates depend on the labelled class sizes, whereas in the code they depend on those of the unlabelled set.",
    "A training does not know the sizes of its unlabelled classes. In the code's own setting, both sets have the same profile.",
)
GREY = (
    "If an operation moves an image, the part that becomes empty is filled with grey (127), which later operations see.",
    "In FixMatch's code, a later colour operation sees black there, and in CReST's code the grey is 128.",
)
ALONE = (
    "Batch norm sees labelled and unlabelled images together. In the code, it learns its statistics from the labelled images "
    "alone and normalises each kind by itself.",
    "All semi-supervised methods here pass both kinds through the network together, as FixMatch does.",
)
GAIN = (
    "The convolutions are initialised with the gain of the leaky ReLU, which is the activation of the network.",
    "The code uses the gain of the plain ReLU, with which their standard deviation is 0.5 % larger.",
)
CENTRE = (
    "Along a side of 32 pixels, the centre of cutout is one of 32 equally likely places.",
    "CReST's code rounds it to one of 33 places, of which the outer two are half as likely as the others.",
)


def semi_training(method: str, case: Case, at: dict | None = None, **data: object) -> Training:
    """The training of ``method`` with the case's class sizes for the labelled images, and with as many unlabelled images."""
    spec = replace(
        spec_of(method, at, ema=0.9, epochs=10, warmup_epochs=0),
        data=build(DataSpec, {"dataset": "digits", "imbalance_factor": 10, "label_fraction": 0.5, **data}),
    )
    split = split_of(case.classes, case.seed)
    return Training(spec, replace(split, unlabelled=split.train.nameless()), CPU)


def outputs_of(case: Case, views: int) -> list[Tensor]:
    """Outputs for labelled images, for weak views, of which every other one is confident, and for ``views`` strong views: [B, C]
    each.
    """
    labelled, weak, *strong = (Case(case.classes, case.seed + 50 * i).logits for i in range(2 + views))
    for image in range(0, BATCH, 2):
        weak[image, (3 * image) % case.classes] += 40.0
        weak[image + 1] *= 0.05
    return [labelled, weak, *strong]


def softmax(row: Row) -> list[float]:
    top = max(z.item() for z in row)
    powers = [math.exp(z.item() - top) for z in row]
    return [p / sum(powers) for p in powers]


def guesses(weak: list[Row], moved: list[list[float]] | None = None) -> list[tuple[int, float]]:
    """The most likely class of each weak view, and 1 if the prediction is confident or 0 if not."""
    said = moved or [softmax(row) for row in weak]
    return [(p.index(max(p)), float(max(p) >= THRESHOLD)) for p in said]


def consistency(strong: list[Row], pseudo: list[tuple[int, float]]) -> Tensor:
    """The mean of the masked cross-entropy of strong views over all images, confident or not."""
    return total([mask * cross_entropy(row, y) for row, (y, mask) in zip(strong, pseudo, strict=True)]) / len(strong)


def labelled_loss(labelled: list[Row], case: Case) -> Tensor:
    return total([cross_entropy(row, y) for row, y in zip(labelled, case.labels, strict=True)]) / len(labelled)


def compare(training: Training, case: Case, expected: Tensor, rows: list[list[Row]], found: Tensor, outputs: Tensor) -> None:
    """Compare the value of the loss, and its gradient with respect to every output."""
    place = f"{training.spec.method.label}, {case}"
    expected.backward()
    agree(found, expected, f"value of {place}")
    (slope,) = torch.autograd.grad(found, outputs)
    agree(slope, torch.cat([slopes(part) for part in rows]), f"slope by outputs of {place}")


def check_fixmatch(case: Case, method: str = "fixmatch", views: int = 1, at: dict | None = None) -> None:
    training = semi_training(method, case, {"threshold": THRESHOLD, **(at or {})})
    rows = [rows_of(part) for part in outputs_of(case, views)]
    labelled, weak, *strong = rows
    pseudo = guesses(weak)
    assert 0 < sum(mask for _, mask in pseudo) < BATCH
    expected = labelled_loss(labelled, case) + total([consistency(one, pseudo) for one in strong]) / views
    outputs = torch.cat(outputs_of(case, views)).requires_grad_()
    found = training.step.total(outputs, torch.zeros(len(outputs), 2), torch.tensor(case.labels))  # type: ignore[attr-defined]
    compare(training, case, expected, rows, found, outputs)


def check_pseudo_label(case: Case) -> None:
    """A confident prediction is the label of the same view, as in `pseudo_label.py` after its warm-up."""
    training = semi_training("pseudo_label", case)
    labelled, weak = outputs_of(case, 0)
    rows = [rows_of(labelled), rows_of(weak)]
    expected = labelled_loss(rows[0], case) + consistency(rows[1], guesses(rows[1]))
    outputs = torch.cat([labelled, weak]).requires_grad_()
    training.forward = lambda *_, **__: (outputs, torch.zeros(len(outputs), 2))  # type: ignore[method-assign]
    images = training.images(torch.arange(BATCH))[0]
    found = training.step.both(images, torch.tensor(case.labels), torch.arange(BATCH))  # type: ignore[attr-defined]
    compare(training, case, expected, rows, found, outputs)


def check_mean_teacher(case: Case) -> None:
    """The term is the mean squared difference of the probabilities over images and classes, times 100·exp(−5(1 − t)²)."""
    for epoch, ramp in ((0, 0.0), (2, 0.5), (4, 1.0), (9, 1.0)):
        training = semi_training("mean_teacher", case)
        training.epoch = epoch
        labelled, student, teacher = outputs_of(case, 1)
        rows, taught = [rows_of(labelled), rows_of(student)], [softmax(row) for row in teacher]
        apart = []
        for row, target in zip(rows[1], taught, strict=True):
            norm = total([torch.exp(z - row[0].detach()) for z in row])
            apart += [(torch.exp(z - row[0].detach()) / norm - p) ** 2 for z, p in zip(row, target, strict=True)]
        weight = 100.0 * math.exp(-5 * (1 - ramp) ** 2)
        expected = labelled_loss(rows[0], case) + weight * total(apart) / len(apart)
        outputs = torch.cat([labelled, student]).requires_grad_()
        training.forward = lambda *_, outputs=outputs, **__: (outputs, torch.zeros(len(outputs), 2))  # type: ignore[method-assign]
        training.step.taught = lambda images, teacher=teacher: teacher  # type: ignore[attr-defined]
        images = training.images(torch.arange(BATCH))[0]
        found = training.step.both(images, torch.tensor(case.labels), torch.arange(BATCH))  # type: ignore[attr-defined]
        compare(training, case, expected, rows, found, outputs)


def aligned(said: list[list[float]], target: list[float], memory: list[list[float]]) -> list[list[float]]:
    """As in `pseudo_target_fn`: predictions move towards the target and away from the mean of ``memory``, then ``memory`` is
    updated.
    """
    classes = len(target)
    mean = [sum(batch[c] for batch in memory) / len(memory) for c in range(classes)]
    moved = [[p[c] * (1e-6 + target[c]) / (1e-6 + mean[c]) for c in range(classes)] for p in said]
    memory.append([sum(p[c] for p in said) / len(said) for c in range(classes)])
    del memory[0]
    return [[value / sum(row) for value in row] for row in moved]


def alignment_agrees(case: Case, training: Training, target: list[float]) -> None:
    """Compare the aligned predictions of three batches, so that earlier predictions count."""
    memory = [[1 / case.classes] * case.classes for _ in range(128)]
    for batch in range(3):
        said = [softmax(row) for row in Case(case.classes, case.seed + 70 * batch).logits]
        found = training.step.aligned(torch.tensor(said, dtype=torch.float32))  # type: ignore[attr-defined]
        agree(found, aligned(said, target, memory), f"aligned predictions of {training.spec.method.label}, batch {batch}, {case}")


def check_fixmatch_da(case: Case) -> None:
    check_fixmatch(case, "fixmatch_da", at={"align": None})
    alignment_agrees(case, semi_training("fixmatch_da", case), [n / sum(case.counts) for n in case.counts])


def profile(case: Case, gamma: float = 10.0) -> list[float]:
    """`gt_p_data`: γ^(−c/(C−1)), scaled to sum to one."""
    raw = [gamma ** (-c / (case.classes - 1)) for c in range(case.classes)]
    return [p / sum(raw) for p in raw]


def crest_rates_agree(case: Case, alpha: float) -> list[float]:
    """Compare the rates with those of `get_split`, (p_{C−1−c}/p_0)^α, with the γ of the data."""
    p = profile(case)
    expected = [(p[-1 - c] / p[0]) ** alpha for c in range(case.classes)]
    data = semi_training("crest", case).spec.data
    found = keep_rates(ideal_sizes(data, torch.ones(case.classes, dtype=torch.float64)), alpha)
    agree(found, expected, f"rates at which CReST keeps pseudo-labels, {case}")
    return expected


def check_crest(case: Case) -> None:
    """Compare FixMatch's loss, which CReST uses within a generation, the rates, and the choice of pseudo-labelled images."""
    check_fixmatch(case, "crest")
    rates = crest_rates_agree(case, part_of("crest", "stages").crest_alpha)
    said = [softmax(row) for row in torch.cat([Case(case.classes, case.seed + i).logits for i in range(8)])]
    expected = []
    for c in range(case.classes):
        mine = [i for i, p in enumerate(said) if p.index(max(p)) == c]
        mine.sort(key=lambda i: -max(said[i]))
        expected += [(i, c) for i in mine[: int(len(mine) * rates[c])]]
    positions, labels = select(torch.tensor(said, dtype=torch.float64), torch.tensor(rates, dtype=torch.float64))
    assert list(zip(positions.tolist(), labels.tolist(), strict=True)) == expected, f"pseudo-labelled images of {case}"


def check_crest_plus(case: Case) -> None:
    check_crest(case)
    for generations in (1, 2, 6):
        powers = [1 - g / max(1, generations - 1) * 0.5 for g in range(generations)]
        agree(align_powers(generations, part_of("crest_plus", "stages").crest_t_min), powers, "t of each generation")
    raw = [p**0.7 for p in profile(case)]
    training = semi_training("crest_plus", case, {"align": 0.7, "align_to": "ideal"})
    alignment_agrees(case, training, [p / sum(raw) for p in raw])


def check_self_training(case: Case) -> None:
    check_fixmatch(case, "self_training")
    assert not part_of("self_training", "stages").rebalance, "every pseudo-label is kept: update_mode 'all'"


def check_abc(case: Case) -> None:
    """Compare the losses of the auxiliary classifier, which are added to FixMatch's, with given masks instead of random ones."""
    views, smallest, pattern = 2, min(case.counts), [float(i % 3 > 0) for i in range(BATCH)]
    for epoch in (0, 5):
        training = semi_training("abc", case)
        training.epoch = epoch
        asked: list[Tensor] = []
        training.step._mask = lambda rates, asked=asked: asked.append(rates) or torch.tensor(pattern)  # type: ignore[attr-defined]
        rows = [rows_of(part) for part in outputs_of(case, views)]
        labelled, weak, *strong = rows
        taught, pseudo = [softmax(row) for row in weak], guesses(weak)
        supervised = total([m * cross_entropy(row, y) for row, y, m in zip(labelled, case.labels, pattern, strict=True)]) / BATCH
        expected = supervised
        for view in strong:
            soft = []
            for row, target, (_, mask), m in zip(view, taught, pseudo, pattern, strict=True):
                soft.append(m * mask * (log_sum_exp(row) - total([p * z for p, z in zip(target, row, strict=True)])))
            expected = expected + total(soft) / BATCH
        outputs = torch.cat(outputs_of(case, views)).requires_grad_()
        found = training.step.balanced(outputs, torch.tensor(case.labels))  # type: ignore[attr-defined]
        compare(training, case, expected, rows, found, outputs)
        agree(asked[0], [smallest / case.counts[y] for y in case.labels], f"chances of labelled images, {case}")
        unlabelled = [1 - epoch / 10 * (1 - smallest / case.counts[y]) for y, _ in pseudo]
        agree(asked[1], unlabelled, f"chances of unlabelled images in epoch {epoch} of 10, {case}")


def check_fixmatch_of_two_views(case: Case, method: str) -> None:
    check_fixmatch(case, method, views=2, at={"unlabelled_sampling": "random"})
    by_size = sorted(range(case.classes), key=lambda c: -case.counts[c])
    opposite = {c: case.counts[by_size[-1 - rank]] / max(case.counts) for rank, c in enumerate(by_size)}
    counts = torch.tensor(case.counts, dtype=torch.float64)
    if len(set(case.counts)) == case.classes:  # classes of equal size have no order
        for sampling, power in (("mean", 1 / 3), ("reverse", 2 / 3), ("random", 0.0)):
            expected = [opposite[c] ** power for c in range(case.classes)]
            agree(pass_rates(sampling, counts), expected, f"pass rates of {sampling}, {case}")


def check_bi_sampling(case: Case) -> None:
    check_fixmatch_of_two_views(case, "bi_sampling")
    class_probabilities_agree(case, part_of("bi_sampling", "sampling"), lambda counts: [1.0] * len(counts))


def check_bis(case: Case) -> None:
    check_fixmatch_of_two_views(case, "bis")
    sampling = part_of("bis", "sampling")
    for t in (0.0, 0.3, 1.0):
        random, alike = 1 - t * t, t * t  # α and 1 − α
        class_probabilities_agree(case, sampling, functools.partial(blended, random, alike), progress=t)


def blended(random: float, alike: float, counts: list[int]) -> list[float]:
    return [random * n / sum(counts) + alike / len(counts) for n in counts]


LOSS = "the loss of labelled images, weak views and strong views with its gradient"
REFERENCES = (
    Reference(
        "pseudo_label",
        FIXMATCH.format("pseudo_label.py"),
        "the loss of labelled and unlabelled images, and its gradient",
        check_pseudo_label,
        (
            ALONE,
            (
                "The weight of the unlabelled term does not ramp up.",
                "The code's ramp belongs to its own recipe; unsup_weight is the value at which the ramp ends.",
            ),
        ),
    ),
    Reference(
        "mean_teacher",
        f"{FIXMATCH.format('mean_teacher.py')}; Tarvainen and Valpola 2017, section 3",
        "the loss and its gradient, in four epochs of ten",
        check_mean_teacher,
        (
            ALONE,
            (
                "The weight ramps up as 100·exp(−5(1 − t)²), whereas in that code the ramp is linear and ends at 50.",
                "Ours are the ramp and the weight of the experiments in the authors' repository with all labels on SVHN and with "
                "ResNets. With few labels on a ConvNet, its weight is smaller: 1 on SVHN, and 100 times the labelled share on "
                "CIFAR-10. Set consistency for these.",
            ),
        ),
    ),
    Reference(
        "fixmatch",
        FIXMATCH.format("fixmatch.py, libml/augment.py"),
        f"{LOSS}, and the operations, magnitudes and probabilities of strong views (tests/lt_core/test_strong.py)",
        check_fixmatch,
        (GREY, GAIN),
    ),
    Reference(
        "fixmatch_da",
        f"{CREST}; strong views: {FIXMATCH.format('libml/augment.py')}",
        f"{LOSS}, and the aligned predictions over three batches",
        check_fixmatch_da,
        (
            (
                "The target is the class distribution of the labelled images.",
                "The code's target is a moving average over batches, which fluctuates around that distribution.",
            ),
        ),
    ),
    Reference(
        "abc",
        ABC,
        f"{LOSS}, for both classifiers, and the probability with which each image takes part",
        check_abc,
        (ONE_PASS,),
    ),
    Reference(
        "self_training",
        CREST,
        f"{LOSS}, and the choice of pseudo-labels, all of which are kept",
        check_self_training,
        (GREY, GAIN),
    ),
    Reference(
        "crest",
        CREST,
        f"{LOSS}, the rates at which pseudo-labels are kept, and the images that a generation adds",
        check_crest,
        (GREY, CENTRE, GAIN),
    ),
    Reference(
        "crest_plus",
        CREST,
        f"{LOSS}, the rates at which pseudo-labels are kept, the images that a generation adds, t of each generation, and the "
        "aligned predictions over three batches",
        check_crest_plus,
        (GREY, CENTRE, GAIN),
    ),
    Reference(
        "bi_sampling",
        BIS.format("fix_train.py, fix_finetune.py"),
        f"{LOSS}, the pass rates, and the exact probability of drawing each class",
        check_bi_sampling,
        (
            ONE_PASS,
            PROFILE,
            GAIN,
            (
                "The learning rate of the second stage begins with 1/20 of the first one's, as in the code, but then decreases "
                "along a cosine, whereas in the code it stays at 1e-4.",
                "All second stages here have that schedule.",
            ),
            (
                "The fixed backbone does not change in the second stage.",
                "In the code, batch norm and weight decay continue to change it: every frozen weight shrinks by 6 % in 30,000 "
                "steps.",
            ),
        ),
    ),
    Reference(
        "bis",
        BIS.format("fix_BiS.py"),
        f"{LOSS}, the pass rates, and the exact probability of drawing each class at three points in training",
        check_bis,
        (
            ONE_PASS,
            PROFILE,
            GAIN,
            (
                "Each labelled image is drawn from the blend of the two distributions.",
                "The code fills round(64·α) places of a batch with one sampler and the rest with the other, which is the same "
                "on average.",
            ),
            (
                "The labelled images of the last epoch are drawn from balanced classes. In the code, α is that of epoch/epochs "
                "and does not become 0: it ends at 0.004 after 500 epochs and would end at 0.1 after 20.",
                "All schedules here reach their end in the last epoch. The pass rates of unlabelled images follow the code.",
            ),
        ),
    ),
)
