from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import lt_core.methods  # noqa: F401  (registers every part)
from lt_core.losses.smoothing import smoothed
from lt_core.parts import GROUPS

# CIFAR-10, imbalance factor 100.
COUNTS = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], dtype=torch.float64)
LOSSES = {name: [{}] for name in GROUPS["loss"]} | {
    "focal": [{"gamma": g} for g in (0.0, 0.5, 1.0, 2.0)],
    "focal_softmax": [{"gamma": g} for g in (0.0, 0.5, 1.0, 2.0)],
    "logit_adjusted": [{"tau": t} for t in (0.0, 1.0, 2.0)],
    "ldam": [{}, {"scale": 1.0}, {"max_margin": 0.0}],
    "mm": [{}, {"mixed": True}, {"max_margin": 1.29, "mm_gamma": 1.528, "scale": 19.0}],
    "seql": [{}, {"seql_gamma": 0.0}, {"seql_gamma": 1.0, "seql_lambda": 0.02}],
    "cdt": [{}, {"cdt_gamma": 0.3}],
    "label_aware_smoothing": [{}, {"smooth_head": 0.0}, {"smooth_head": 0.4, "smooth_tail": 0.1}],
}
CASES = [(name, keys) for name, settings in LOSSES.items() for keys in settings]
# Losses that depend only on differences of logits.
SHIFTED = ("softmax", "focal_softmax", "logit_adjusted", "ldam", "mm", "hinge", "seql", "label_aware_smoothing")
UNSHIFTED = ("sigmoid", "focal")
TEMPERED = ("cdt",)  # a softmax of logits, each divided by its own number


def bind(name, counts=COUNTS, **keys):
    return GROUPS["loss"][name](**keys).bind(counts)


def logits(count=8, classes=10, scale=2.0):
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale


def labels(count=8, classes=10):
    return torch.arange(count) * 3 % classes


@pytest.mark.parametrize(("name", "keys"), CASES)
def test_a_loss_is_one_number_an_image(name, keys):
    """It does not depend on the other images of the batch."""
    loss, z, y = bind(name, **keys), logits(), labels()
    whole = loss(z, y)
    assert whole.shape == (8,)
    torch.testing.assert_close(whole, torch.cat([loss(z[i : i + 1], y[i : i + 1]) for i in range(8)]))


def test_softmax_by_hand():
    z = torch.tensor([[0.0, math.log(3), math.log(4)]], dtype=torch.float64)
    for label, expected in enumerate((math.log(8), math.log(8 / 3), math.log(2))):
        assert bind("softmax", COUNTS[:3])(z, torch.tensor([label])).item() == pytest.approx(expected, abs=1e-12)


def test_sigmoid_by_hand():
    """Eq. 12: −Σ log σ(z^t); σ(log 3) = 3/4."""
    z = torch.tensor([[math.log(3), 0.0, -math.log(3)]], dtype=torch.float64)
    for label, product in enumerate((3 / 4 * 1 / 2 * 3 / 4, 1 / 4 * 1 / 2 * 3 / 4, 1 / 4 * 1 / 2 * 1 / 4)):
        assert bind("sigmoid", COUNTS[:3])(z, torch.tensor([label])).item() == pytest.approx(-math.log(product), abs=1e-12)


def test_sigmoid_is_the_sum_of_binary_cross_entropies():
    z, y = logits(), labels()
    expected = F.binary_cross_entropy_with_logits(z, F.one_hot(y, 10).double(), reduction="none").sum(1)
    torch.testing.assert_close(bind("sigmoid")(z, y), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_is_the_plain_formula_at_moderate_logits(gamma):
    z, y = logits(), labels()
    p = torch.where(F.one_hot(y, 10).bool(), z.sigmoid(), 1 - z.sigmoid())
    torch.testing.assert_close(bind("focal", gamma=gamma)(z, y), ((1 - p) ** gamma * -p.log()).sum(1))


def test_focal_by_hand():
    z = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    expected = (1 / 4) ** 2 * -math.log(3 / 4) + (1 / 2) ** 2 * -math.log(1 / 2)
    assert bind("focal", COUNTS[:2], gamma=2.0)(z, torch.tensor([0])).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_softmax_is_the_plain_formula_at_moderate_logits(gamma):
    z, y = logits(), labels()
    p = z.softmax(1).gather(1, y[:, None])[:, 0]
    torch.testing.assert_close(bind("focal_softmax", gamma=gamma)(z, y), (1 - p) ** gamma * -p.log())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_of_the_weighted_cross_entropy(gamma):
    """v = w·−log p is modulated by 1 − e^(−v) instead of 1 − p; with a weight of one, the two are the same to the bit."""
    z, y, w = logits(), labels(), torch.linspace(0.1, 4, 8, dtype=torch.float64)
    plain, code = (GROUPS["loss"]["focal_softmax"](gamma=gamma, focal_on=f"{on}cross_entropy") for on in ("", "weighted_"))
    v = w * F.cross_entropy(z, y, reduction="none")
    torch.testing.assert_close(w * code.bind_weighted(COUNTS)(z, y, w), (1 - torch.exp(-v)) ** gamma * v)
    torch.testing.assert_close(plain.bind_weighted(COUNTS)(z, y, w), plain.bind(COUNTS)(z, y), rtol=0, atol=0)
    once = torch.ones_like(w)
    torch.testing.assert_close(code.bind_weighted(COUNTS)(z, y, once), plain.bind(COUNTS)(z, y), rtol=0, atol=0)


def test_logit_adjusted_at_one_is_balanced_softmax():
    """Ren et al. 2020, Eq. 4: n_y·e^z_y / Σ n_c·e^z_c."""
    z, y = logits(), labels()
    torch.testing.assert_close(bind("logit_adjusted")(z, y), F.cross_entropy(z + COUNTS.log(), y, reduction="none"))
    odds = COUNTS * z.exp()
    torch.testing.assert_close(bind("logit_adjusted")(z, y), -(odds.gather(1, y[:, None])[:, 0] / odds.sum(1)).log())


@pytest.mark.parametrize("tau", [0.5, 1.5, 2.0])
def test_logit_adjusted_scales_the_prior_by_tau(tau):
    z, y = logits(), labels()
    expected = F.cross_entropy(z + tau * (COUNTS / COUNTS.sum()).log(), y, reduction="none")
    torch.testing.assert_close(bind("logit_adjusted", tau=tau)(z, y), expected)


def test_log_priors_of_cifar10():
    golden = [-0.9087, -1.4206, -1.9326, -2.4440, -2.9567, -3.4675, -3.9792, -4.4915, -5.0071, -5.5139]
    loss = bind("logit_adjusted")(torch.zeros(10, 10, dtype=torch.float64), torch.arange(10))
    assert (-loss).tolist() == pytest.approx(golden, abs=6e-5)


def test_ldam_margins_of_cifar10():
    golden = [0.1581, 0.1797, 0.2042, 0.2321, 0.2638, 0.2998, 0.3407, 0.3872, 0.4405, 0.5000]
    assert GROUPS["loss"]["ldam"]().margins(COUNTS).tolist() == pytest.approx(golden, abs=6e-5)


def test_ldam_by_hand():
    """Counts 16 and 1: margins 1/4 and 1/2 of the largest, 0.5; s = 2; cosines 0.6 and 0.1."""
    loss = bind("ldam", torch.tensor([16.0, 1.0], dtype=torch.float64), scale=2.0)
    z = torch.tensor([[0.6, 0.1]] * 2, dtype=torch.float64)
    first = math.log(1 + math.exp(2 * (0.1 - (0.6 - 0.25))))
    second = math.log(1 + math.exp(2 * (0.6 - (0.1 - 0.5))))
    assert loss(z, torch.tensor([0, 1])).tolist() == pytest.approx([first, second], abs=1e-12)


def test_ldam_scales_its_cosines_at_test_time_without_margin():
    loss, z = GROUPS["loss"]["ldam"](), logits(scale=0.3)
    torch.testing.assert_close(loss.probabilities(loss.logits(z)), (30 * z).softmax(1))


@pytest.mark.parametrize(("name", "keys"), CASES)
def test_gradients_are_those_of_the_loss(name, keys):
    if name == "mm":
        pytest.skip("its margin carries no gradient by definition: see test_the_margin_of_mm_carries_no_gradient")
    z, y = logits(4, scale=0.5 if name == "ldam" else 2.0).requires_grad_(), labels(4)
    assert torch.autograd.gradcheck(lambda z: bind(name, **keys)(z, y), z)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "keys"), CASES)
def test_loss_and_gradients_are_finite_at_any_logit(name, keys, dtype, extreme_logits):
    z, y = extreme_logits
    z = z.to(dtype).float().requires_grad_()
    loss = bind(name, COUNTS[[0, 5, 9]].float(), **keys)(z, y)
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert loss.isfinite().all() and (loss >= 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", [*SHIFTED, *UNSHIFTED, *TEMPERED])
def test_a_constant_on_all_logits_matters_to_sigmoids_and_temperatures_alone(name):
    for keys in LOSSES[name]:
        z, y = logits(), labels()
        plain, shifted = (bind(name, **keys)(logits_, y) for logits_ in (z, z + 3))
        assert torch.allclose(plain, shifted) == (name in SHIFTED)


def test_every_loss_is_known_to_be_a_softmax_or_a_sum_of_sigmoids():
    """A new loss must be added above, so that these tests cover it."""
    assert set(GROUPS["loss"]) == set(SHIFTED) | set(UNSHIFTED) | set(TEMPERED)


@pytest.mark.parametrize("name", list(GROUPS["loss"]))
def test_log_probabilities_are_the_logarithm_of_the_probabilities(name):
    loss, z = GROUPS["loss"][name](), logits()
    torch.testing.assert_close(loss.log_probabilities(z), loss.probabilities(z).log())
    assert loss.log_probabilities(torch.tensor([[-1e4, 1e4]])).isfinite().all()


def test_binary_losses_start_from_the_prior_and_others_do_not():
    assert {n for n in GROUPS["loss"] if GROUPS["loss"][n].prior_bias} == set(UNSHIFTED)


def mm_by_hand(z, y, margin, scale):
    """CE(s·(z − b·onehot(y)), y) with the margin written out."""
    moved = z.clone()
    moved[y] -= margin
    return F.cross_entropy(scale * moved[None], torch.tensor([y])).item()


def test_mm_by_hand_on_both_sides_of_the_boundary():
    """m = 0.5, γ = 1.1, s = 30: d = 0.4 gives b = exp(−0.4 − 0.55), d = −0.3 gives b = exp(−0.3 − 0.5)."""
    z = torch.tensor([[0.6, 0.2, -0.1], [0.6, 0.3, -0.1]], dtype=torch.float64)
    found = bind("mm", COUNTS[:3])(z, torch.tensor([0, 1])).tolist()
    expected = [mm_by_hand(z[0], 0, math.exp(-0.95), 30), mm_by_hand(z[1], 1, math.exp(-0.8), 30)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_mm_finds_the_hardest_negative_among_negative_cosines():
    """The released code hides the true class with a 0, which is then the maximum."""
    z = torch.tensor([[-0.2, -0.5, -0.7]], dtype=torch.float64)
    d, wrong = 0.3, -0.2
    exact, released = (bind("mm", COUNTS[:3], released_code=r)(z, torch.tensor([0])).item() for r in (False, True))
    assert exact == pytest.approx(mm_by_hand(z[0], 0, math.exp(-d - 1.1 * 0.5), 30), abs=1e-12)
    assert released == pytest.approx(mm_by_hand(z[0], 0, math.exp(wrong - 0.5), 30), abs=1e-12)


def test_mm_takes_each_images_own_positive_where_the_released_code_takes_the_first_labels_column():
    z = torch.tensor([[0.5, 0.1, 0.0], [0.4, 0.6, 0.0]], dtype=torch.float64)
    y = torch.tensor([0, 1])
    exact, released = (bind("mm", COUNTS[:3], released_code=r)(z, y)[1].item() for r in (False, True))
    assert exact == pytest.approx(mm_by_hand(z[1], 1, math.exp(-0.2 - 0.55), 30), abs=1e-12)
    # Column 0 holds 0.4 and the largest other output, with class 1 at 0, is 0.4: d = 0, which has no margin.
    assert released == pytest.approx(mm_by_hand(z[1], 1, 0.0, 30), abs=1e-12)


def test_mm_mixed_gives_rare_classes_more():
    z = torch.tensor([[0.5, 0.5, 0.1]] * 2, dtype=torch.float64) - torch.eye(3, dtype=torch.float64)[:2] * 0.2
    counts = torch.tensor([16.0, 1.0, 16.0], dtype=torch.float64)
    common, rare = bind("mm", counts, mixed=True)(z, torch.tensor([0, 1])).tolist()
    assert common == pytest.approx(mm_by_hand(z[0], 0, math.exp(-0.2 - (0.5 - 0.25)), 30), abs=1e-12)
    assert rare == pytest.approx(mm_by_hand(z[1], 1, math.exp(-0.2 - (0.5 - 0.5)), 30), abs=1e-12)


def test_the_margin_of_mm_carries_no_gradient():
    z, y = logits(4, scale=0.5).requires_grad_(), labels(4)
    (found,) = torch.autograd.grad(bind("mm")(z, y).sum(), z)
    with torch.no_grad():
        true = z.gather(1, y[:, None])[:, 0]
        d = true - z.scatter(1, y[:, None], -9).amax(1)
        margin = torch.where(d > 0, torch.exp(-d - 0.55), torch.exp(d - 0.5))
    (expected,) = torch.autograd.grad(F.cross_entropy(30 * (z - margin[:, None] * F.one_hot(y, 10)), y, reduction="sum"), z)
    torch.testing.assert_close(found, expected)


def test_hinge_by_hand():
    z = torch.tensor([[2.0, 0.5, 1.7], [0.0, 3.0, 1.0], [1.0, 1.0, 1.0]], dtype=torch.float64)
    assert bind("hinge", COUNTS[:3])(z, torch.tensor([0, 1, 2])).tolist() == pytest.approx([0.7, 0.0, 1.0])
    assert bind("hinge", COUNTS[:3], hinge_margin=0.2)(z, torch.tensor([0, 1, 2])).tolist() == pytest.approx([0.0, 0.0, 0.2])


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("seql", {"seql_gamma": 0.0}),
        ("cdt", {"cdt_gamma": 0.0}),
        ("label_aware_smoothing", {"smooth_head": 0.0, "smooth_tail": 0.0}),
    ],
)
def test_without_strength_the_losses_of_the_tail_are_cross_entropy_to_the_bit(name, keys):
    results = []
    for loss in (bind(name, **keys), bind("softmax")):
        z = logits().float().requires_grad_()
        results.append((loss(z, labels()), *torch.autograd.grad(loss(z, labels()).sum(), z)))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert not torch.allclose(bind(name)(logits(), labels()), results[1][0].double())


PLAIN = torch.tensor([[0.0, math.log(3), math.log(4)]] * 3, dtype=torch.float64)  # probabilities 1/8, 3/8 and 4/8
EACH = torch.arange(3)


def test_seql_leaves_rare_classes_out_of_the_denominators_of_others():
    """Among the frequencies 0.9, 0.09 and 0.01, the last is rare; at γ = 1/2, half of the loss is cross-entropy."""
    counts = torch.tensor([90.0, 9.0, 1.0], dtype=torch.float64)
    without = torch.tensor([4, 4 / 3, 2], dtype=torch.float64).log()
    whole = torch.tensor([8, 8 / 3, 2], dtype=torch.float64).log()
    for gamma in (1.0, 0.5):
        found = bind("seql", counts, seql_gamma=gamma, seql_lambda=0.05)(PLAIN, EACH)
        torch.testing.assert_close(found, gamma * without + (1 - gamma) * whole)
    torch.testing.assert_close(bind("seql", counts, seql_lambda=0.0)(PLAIN, EACH), whole)
    assert (
        bind("seql", counts, seql_gamma=1.0, seql_lambda=1.0)(PLAIN, EACH).tolist() == [0.0] * 3
    )  # all are rare, so none is treated differently


def test_seql_does_not_push_rare_classes_down():
    z = logits(10).requires_grad_()
    (gradient,) = torch.autograd.grad(bind("seql", seql_gamma=1.0)(z, torch.arange(10)).sum(), z)
    pushed = gradient.clone().fill_diagonal_(0) > 0
    assert pushed.any(dim=0).tolist() == [True] * 5 + [False] * 5
    assert (gradient.diagonal() < 0).all()


def test_by_default_some_classes_are_rare_for_seql_and_some_are_not():
    """A fixed frequency of 0.05 suits ten classes, but would make all of a hundred classes rare."""
    hundred = (500 * 0.01 ** (torch.arange(100, dtype=torch.float64) / 99)).floor()
    rare = GROUPS["loss"]["seql"]().rare
    assert torch.equal(rare(COUNTS), COUNTS / COUNTS.sum() < 0.05)
    assert 0 < rare(hundred).sum() < 100


def test_cdt_by_hand():
    """Counts 16 and 1: (16/1)^(1/4) is 2. The logits 1 and 3 become 1 and 1.5, in training only."""
    z, counts = torch.tensor([[1.0, 3.0]] * 2, dtype=torch.float64), torch.tensor([16.0, 1.0], dtype=torch.float64)
    expected = [math.log(1 + math.exp(0.5)), math.log(1 + math.exp(-0.5))]
    assert bind("cdt", counts, cdt_gamma=0.25)(z, EACH[:2]).tolist() == pytest.approx(expected, abs=1e-12)
    assert torch.equal(GROUPS["loss"]["cdt"](cdt_gamma=0.25).logits(z), z)


def test_the_rarer_the_class_the_higher_its_temperature():
    temperatures = GROUPS["loss"]["cdt"](cdt_gamma=0.2).temperatures(COUNTS)
    assert temperatures[0] == 1 and (temperatures.diff() > 0).all()
    assert temperatures[-1].item() == pytest.approx(100**0.2)


def test_smoothing_falls_from_the_head_to_the_tail_along_a_sine():
    made = GROUPS["loss"]["label_aware_smoothing"](smooth_head=0.4, smooth_tail=0.1)
    sizes = torch.tensor([100.0, 55.0, 40.0, 10.0], dtype=torch.float64)
    assert made.smoothing(sizes).tolist() == pytest.approx([0.4, 0.1 + 0.3 * math.sqrt(0.5), 0.1 + 0.3 * 0.5, 0.1])
    assert made.smoothing(torch.full((3,), 7.0)).tolist() == pytest.approx([0.4] * 3)


def test_label_aware_smoothing_by_hand():
    """The largest class has ε = 0.4, half of which goes to each other class; the smallest has 0.1."""
    loss = bind("label_aware_smoothing", COUNTS[[0, 5, 9]], smooth_head=0.4, smooth_tail=0.1)
    head = 0.6 * math.log(8) + 0.2 * (math.log(8 / 3) + math.log(2))
    tail = 0.9 * math.log(2) + 0.05 * (math.log(8) + math.log(8 / 3))
    assert loss(PLAIN, EACH)[[0, 2]].tolist() == pytest.approx([head, tail], abs=1e-12)


class _Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that was made."""

    made = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.made = max(self.made, result.numel())
        return result


@pytest.mark.parametrize(("name", "keys"), CASES)
def test_smoothed_labels_take_no_more_memory_than_a_number_a_class(name, keys):
    """A batch of 4 images of 8,142 classes (iNaturalist 2018) would be 265 million numbers if each label were tried in turn."""
    outputs = torch.zeros(4, 8142, requires_grad=True)
    loss, _ = smoothed(GROUPS["loss"][name](**keys), torch.linspace(1000, 2, 8142), 0.1)
    with _Largest() as largest:
        loss(outputs, torch.arange(4)).sum().backward()
    assert largest.made <= outputs.numel()
