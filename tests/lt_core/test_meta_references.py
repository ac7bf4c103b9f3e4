"""Methods that learn on a meta set, compared with the authors' code, transcribed as plain loops in float64 for a linear network.

- Meta-Weight-Net: xjtushujun/Meta-weight-net_class-imbalance at 20c3276, meta-weight-net-class-imbalance.py;
- L2RW: uber-research/learning-to-reweight-examples at 0b616c9, mnist/reweight.py;
- the meta sampler: jiawei-ren/BalancedMetaSoftmax-Classification at 34a61e4, data/MetaSampler.py and run_networks.py.
"""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lt_core.data.loader import Images, Split
from lt_core.models.registry import Net
from lt_core.steps.meta_sampler import as_drawn, class_probabilities
from lt_core.training.loop import Training

CPU = torch.device("cpu")
CLASSES = pytest.mark.parametrize("classes", [10, 100])
SEEDS = pytest.mark.parametrize("seed", range(5))
BATCH = 6


class Flat(nn.Module):
    """Four pixels are four features."""

    width = 4

    def forward(self, images):
        return images.flatten(1)


@pytest.fixture
def linear(make_spec, monkeypatch):
    """A training of a linear network in float64 on 2×2 pictures, with two extra pictures per class."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)

    def make(method, classes, seed, at=None, **recipe):
        draw = torch.Generator().manual_seed(100 * seed + classes)

        def images(labels):
            return Images(torch.randint(0, 256, (len(labels), 2, 2, 1), generator=draw).byte(), labels)

        counts = torch.randint(1, 6, (classes,), generator=draw)
        train = images(torch.arange(classes).repeat_interleave(counts))
        extra = images(torch.arange(classes).repeat(2))
        split = Split(train, train, train, counts.double(), (2, 2, 1), extra=extra)
        model = Net(Flat(), nn.Linear(4, classes))
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=draw))
        changed = {"pad": 0, "normalize": "unit", "batch_size": 2 * classes, "lr": 0.5, **recipe}
        training = Training(make_spec(method, at, {"imbalance_factor": 1}, **changed), split, CPU, model=model)
        training.train_mode()
        positions = torch.randperm(len(train), generator=draw)[:BATCH]
        return training, positions

    yield make
    torch.set_default_dtype(before)


# Plain loops. A network is (rows of weights, biases), an image a list of features.


def pictures(images):
    return (images.pixels.flatten(1).double() / 255).tolist(), images.labels.tolist()


def network(training):
    classifier = training.model.classifier
    return classifier.weight.tolist(), classifier.bias.tolist()


def probabilities(net, x, shift):
    logits = [sum(w * f for w, f in zip(row, x, strict=True)) + b + s for row, b, s in zip(*net, shift, strict=True)]
    top = max(logits)
    total = sum(math.exp(z - top) for z in logits)
    return [math.exp(z - top) / total for z in logits]


def loss_and_slope(net, x, label, shift=None):
    """−log p of ``label`` after adding ``shift`` to the logits, and its slope as one flat list: weights, then biases."""
    p = probabilities(net, x, shift or [0.0] * len(net[1]))
    by_logit = [value - (c == label) for c, value in enumerate(p)]
    return -math.log(p[label]), [d * f for d in by_logit for f in x] + by_logit


def flat(net):
    return [w for row in net[0] for w in row] + list(net[1])


def unflat(values, classes):
    weights, width = values[:-classes], (len(values) - classes) // classes
    return [weights[c * width : (c + 1) * width] for c in range(classes)], values[-classes:]


def mean_slope(net, xs, labels):
    slopes = [loss_and_slope(net, x, label)[1] for x, label in zip(xs, labels, strict=True)]
    return [sum(column) / len(slopes) for column in zip(*slopes, strict=True)]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def combined(weights, slopes):
    return [dot(weights, column) for column in zip(*slopes, strict=True)]


def moved(net, direction, rate):
    return unflat([p - rate * d for p, d in zip(flat(net), direction, strict=True)], len(net[1]))


def agree(found, expected):
    """Check that both agree to within 1e-5 of the largest number."""
    found, expected = torch.as_tensor(found).detach().flatten(), torch.as_tensor(expected, dtype=torch.float64).flatten()
    assert expected.abs().max() > 0
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def held_against(training, positions, weights):
    """Check that the step's loss and its slope by the network are those of the batch with these ``weights``."""
    net = network(training)
    xs, labels = pictures(Images(training.split.train.pixels[positions], training.split.train.labels[positions]))
    losses, slopes = zip(*(loss_and_slope(net, x, label) for x, label in zip(xs, labels, strict=True)), strict=True)
    loss = training.step(positions)
    found = torch.autograd.grad(loss, [training.model.classifier.weight, training.model.classifier.bias])
    wanted = weights(net, xs, labels, losses, slopes)
    agree(loss, dot(wanted, losses))
    agree(torch.cat([g.flatten() for g in found]), combined(wanted, slopes))


@CLASSES
@SEEDS
def test_l2rw(linear, classes, seed):
    training, positions = linear("l2rw", classes, seed, {"meta_images": 2})
    meta = pictures(training.split.extra)

    def weights(net, xs, labels, losses, slopes):
        meta_slope = mean_slope(net, *meta)  # at ε = 0 the virtual step changes nothing
        along = [max(0.0, dot(slope, meta_slope)) for slope in slopes]
        total = sum(along)
        return [a / (total + (total == 0)) for a in along]

    held_against(training, positions, weights)


def weigh(theta, loss):
    """The MLP 1-100-1: its weight of an image, and the slope of this weight by the image's loss."""
    w1, b1, w2, (b2,) = theta[:100], theta[100:200], theta[200:300], theta[300:]
    hidden = [w * loss + b for w, b in zip(w1, b1, strict=True)]
    value = 1 / (1 + math.exp(-(sum(w * max(0.0, h) for w, h in zip(w2, hidden, strict=True)) + b2)))
    inner = sum(a * b for a, b, h in zip(w1, w2, hidden, strict=True) if h > 0)
    return value, value * (1 - value) * inner


@CLASSES
@SEEDS
@pytest.mark.parametrize("through", [True, False], ids=["code", "paper"])
def test_meta_weight_net(linear, classes, seed, through):
    """The released code passes the losses to the MLP with their graph; in the paper's Eq. 3, weights are constant in the virtual
    step.
    """
    rate, mwn_lr = 0.5, 1e-3
    at = {"meta_images": 2, "mwn_lr": mwn_lr, "through_weights": through}
    training, positions = linear("meta_weight_net", classes, seed, at, lr=rate)
    meta, mlp = pictures(training.split.extra), training.step.net
    theta = [v for p in mlp.parameters() for v in p.flatten().tolist()]

    def coefficients(theta, losses):
        """The coefficient of each image's slope in the virtual step."""
        values, bends = zip(*(weigh(theta, loss) for loss in losses), strict=True)
        total = sum(values)
        mean = dot(values, losses) / total
        bent = [bend * (loss - mean) / total if through else 0.0 for bend, loss in zip(bends, losses, strict=True)]
        return [v / total + b for v, b in zip(values, bent, strict=True)]

    def weights(net, xs, labels, losses, slopes):
        ahead = moved(net, combined(coefficients(theta, losses), slopes), rate)
        meta_slope = mean_slope(ahead, *meta)
        teaches = [-rate * dot(slope, meta_slope) for slope in slopes]
        by_theta = []
        for i in range(len(theta)):  # central differences, of the coefficients only
            up, down = ([*theta[:i], theta[i] + h, *theta[i + 1 :]] for h in (1e-6, -1e-6))
            by_theta.append((dot(teaches, coefficients(up, losses)) - dot(teaches, coefficients(down, losses))) / 2e-6)
        agree(torch.cat([p.grad.flatten() for p in mlp.parameters()]), by_theta)
        # The first step of SGD with Nesterov's momentum 0.9 and weight decay.
        after = [p - mwn_lr * 1.9 * (g + 5e-4 * p) for p, g in zip(theta, by_theta, strict=True)]
        values = [weigh(after, loss)[0] for loss in losses]
        return [v / sum(values) for v in values]

    held_against(training, positions, weights)


@CLASSES
@SEEDS
@pytest.mark.parametrize(("look_ahead", "nesterov"), [("optimizer", False), ("optimizer", True), ("gradient", False)])
def test_the_meta_samplers_step(linear, monkeypatch, classes, seed, look_ahead, nesterov):
    """The inner loss is Balanced Softmax, the virtual step has the optimiser's momentum and weight decay, and the outer loss is
    plain cross-entropy.

    The released configurations have no Nesterov momentum; our recipes may.
    """
    at, recipe = {"look_ahead": look_ahead, "stages": "one"}, {"weight_decay": 0.01, "momentum": 0.9, "nesterov": nesterov}
    training, positions = linear("balanced_meta_softmax", classes, seed, at, **recipe)
    training.run_epoch()  # leaves a velocity, and rates that differ
    extra, (group,) = training.split.extra, training.optimizer.param_groups
    monkeypatch.setattr(training.step, "meta_batch", lambda: (training.batches.normalise(extra.pixels), extra.labels))
    net, train = network(training), Images(training.split.train.pixels[positions], training.split.train.labels[positions])
    xs, labels = pictures(train)
    rates, counts, lr = training.step.rates.tolist(), training.split.counts.tolist(), group["lr"]
    velocity = [v for p in group["params"] for v in training.optimizer.state[p]["momentum_buffer"].flatten().tolist()]

    slopes = [loss_and_slope(net, x, label, [math.log(n) for n in counts])[1] for x, label in zip(xs, labels, strict=True)]
    direction, reach = combined([1 / BATCH] * BATCH, slopes), lr  # reach: the factor of a slope in the virtual step
    if look_ahead == "optimizer":
        decayed = [d + 0.01 * p for d, p in zip(direction, flat(net), strict=True)]
        direction = [0.9 * v + d for v, d in zip(velocity, decayed, strict=True)]
        if nesterov:
            direction, reach = [d + 0.9 * m for d, m in zip(decayed, direction, strict=True)], 1.9 * lr
    meta_slope = mean_slope(moved(net, direction, lr), *pictures(extra))
    teaches = [-reach / BATCH * dot(slope, meta_slope) for slope in slopes]

    on = [1 / (1 + math.exp(-v)) for v in rates]
    mass = [n * s for n, s in zip(counts, on, strict=True)]
    share = [m / sum(mass) for m in mass]
    expected = [
        sum(t * ((label == c) - share[c]) * (1 - on[c]) for t, label in zip(teaches, labels, strict=True)) for c in range(classes)
    ]
    images, truth = training.batches.normalise(train.pixels), train.labels
    training.step._learn(images.flatten(1), truth)
    agree(training.step.rates.grad, expected)


# The slope by the rates, on problems that are small enough to list every batch.

COUNTS, LABELS = torch.tensor([2.0, 1.0, 1.0]).double(), torch.tensor([0, 0, 1, 2])
RATES = torch.tensor([0.7, -0.4, 0.1]).double()


@pytest.fixture
def toy():
    draw = torch.Generator().manual_seed(5)
    features, seen = (torch.randn(4, 3, generator=draw, dtype=torch.float64) for _ in range(2))
    return features, seen, torch.randn(3, 3, generator=draw, dtype=torch.float64)


def listed(toy, outer, rate):
    """Over all 16 batches of two draws: the mean of our slope by the rates, and the slope of the mean of ``outer``."""
    features, _, weight = toy
    ours, exact = torch.zeros(3).double(), torch.zeros(3).double()
    for batch in itertools.product(range(4), repeat=2):
        picked = torch.tensor(batch)
        rates, w = RATES.clone().requires_grad_(), weight.clone().requires_grad_()
        likely = class_probabilities(rates, COUNTS)
        losses = F.cross_entropy(features[picked] @ w.T, LABELS[picked], reduction="none")
        (slope,) = torch.autograd.grad(as_drawn(losses, likely, LABELS[picked]).mean(), w, create_graph=True)
        value = outer(w - rate * slope)
        chance = (likely / COUNTS)[LABELS[picked]].prod()
        ours += chance.detach() * torch.autograd.grad(value, rates, retain_graph=True)[0]
        exact += torch.autograd.grad(chance, rates)[0] * value.detach()
    return ours, exact


def test_our_slope_is_that_of_the_expected_meta_loss_where_that_is_linear(toy):
    features, _, weight = toy
    along = torch.randn(3, 3, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    ours, exact = listed(toy, lambda w: (along * w).sum(), 0.3)
    torch.testing.assert_close(ours, exact, rtol=1e-12, atol=1e-15)
    w, rates = weight.clone().requires_grad_(), RATES.clone().requires_grad_()
    losses = F.cross_entropy(features @ w.T, LABELS, reduction="none")
    teaches = torch.stack([(torch.autograd.grad(loss, w, retain_graph=True)[0] * along).sum() for loss in losses])
    weights = rates.sigmoid()[LABELS]
    (closed,) = torch.autograd.grad(-0.3 * (weights / weights.sum() * teaches).sum(), rates)
    torch.testing.assert_close(ours, closed, rtol=1e-12, atol=1e-15)


def test_our_slope_is_that_of_the_expected_meta_loss_to_the_first_order_of_the_rate(toy):
    def outer(w):
        return F.cross_entropy(toy[1] @ w.T, torch.tensor([0, 1, 2, 1]))

    errors = []
    for rate in (1e-2, 1e-3):
        ours, exact = listed(toy, outer, rate)
        errors.append(((ours - exact).norm() / exact.norm()).item())
    assert errors[1] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.1)


# The released estimator: the drawn image's number times its entry in a hard Gumbel-softmax, whose slope is that of the soft one.


def released(log_p, teaches, draws, seed=0):
    """Its slopes by log p: [draws, N], for images with the values ``teaches`` [N] if they are drawn."""
    logits = log_p.expand(draws, -1).clone().requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sample = F.gumbel_softmax(logits, hard=True)
    drawn = sample.detach().argmax(1)
    loss = (teaches[drawn][:, None] * sample.detach() * sample).sum(1)
    torch.testing.assert_close(loss.detach(), teaches[drawn])  # the value of the drawn image
    return torch.autograd.grad(loss.sum(), logits)[0]


def expected_slope(log_p, teaches):
    """The slope of Σ p·teaches by log p, with normalised p: [N]."""
    log_p = log_p.clone().requires_grad_()
    return torch.autograd.grad((log_p.softmax(0) * teaches).sum(), log_p)[0]


def spread(draws):
    return draws.std(0) / len(draws) ** 0.5


def soft_moments(p):
    """∫ u·(1 − u) of the soft entry u of the first of two images over u > 1/2, where it is drawn, and over u < 1/2."""
    ratio = p / (1 - p)
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    mass = u * (1 - u) * ratio / (u + ratio * (1 - u)) ** 2 / len(u)
    return mass[u > 0.5].sum().item(), mass[u < 0.5].sum().item()


def test_at_equal_rates_the_released_slope_is_a_third_of_ours_for_two_images():
    assert soft_moments(0.5) == pytest.approx((1 / 12, 1 / 12), rel=1e-6)
    log_p, teaches = torch.zeros(2).double(), torch.tensor([1.3, -0.6]).double()
    draws = released(log_p, teaches, 200_000)
    assert ((draws.mean(0) - expected_slope(log_p, teaches) / 3).abs() < 5 * spread(draws)).all()


@pytest.mark.parametrize("images", [3, 50])
def test_at_equal_rates_the_released_slope_is_ours_times_one_factor_that_falls_with_the_number_of_images(images):
    """E[y·(1 − y)]·N/(N − 1) with y the largest entry of the softmax of N Gumbel draws."""
    teaches = torch.randn(images, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_p = torch.zeros(images).double()
    draws = released(log_p, teaches, 100_000)
    inverse = 1 / torch.empty(100_000, images, dtype=torch.float64).exponential_(generator=torch.Generator().manual_seed(2))
    largest = (inverse / inverse.sum(1, keepdim=True)).amax(1)
    factor = (largest * (1 - largest)).mean() * images / (images - 1)
    assert (1 / 9 if images == 50 else 1 / 5) < factor < 1 / 3
    assert ((draws.mean(0) - factor * expected_slope(log_p, teaches)).abs() < 5 * spread(draws) + 1e-4).all()


def test_at_other_rates_the_released_slope_drifts_though_all_images_teach_the_same():
    """If nothing can be gained, the slope of the expected loss is 0; theirs is the difference of two halves of an integral."""
    log_p, same = torch.tensor([0.8, 0.2]).double().log(), torch.ones(2).double()
    assert expected_slope(log_p, same).abs().max() < 1e-15
    draws, (first, second) = released(log_p, same, 200_000), soft_moments(0.8)
    assert abs(first - second) > 0.01
    drift = torch.tensor([first - second, second - first])
    assert ((draws.mean(0) - drift).abs() < 5 * spread(draws)).all()
