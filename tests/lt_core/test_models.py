from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lt_core.errors import UserError
from lt_core.models import MODELS, build_model, check_model
from lt_core.models.heads import CosineHead, LargeMarginHead, LinearHead, angular_margin

LABELS = [*MODELS, *(f"resnet{d}[shortcut={s}]" for d in (20, 32) for s in ("slice", "avgpool"))]


def pictures(shape):
    return torch.rand(2, shape[2], *shape[:2], generator=torch.Generator().manual_seed(0))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_wide_network_is_that_of_each_public_code():
    """The shortcut of a first block starts after the ReLU, or from the raw input in all groups except the first."""
    nets = {
        shortcut: build_model(f"wrn28_2[shortcut={shortcut},norm_momentum=0.001,norm_eps=0.01]", (8, 8, 3), 10, LinearHead())
        for shortcut in ("rectified", "raw")
    }
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for shortcut, net in nets.items():
        norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert len(norms) == 25 and {(m.momentum, m.eps) for m in norms} == {(0.001, 0.01)}
        hidden = net.eval().backbone.begin(images)
        for number, group in enumerate(net.backbone.groups):
            block = group[0]
            rectified = F.leaky_relu(block.norm1(hidden), 0.1)
            y = block.conv2(F.leaky_relu(block.norm2(block.conv1(rectified)), 0.1))
            start = hidden if shortcut == "raw" and number else rectified
            torch.testing.assert_close(block(hidden), block.shortcut(start) + y)
            hidden = group(hidden)
    assert nets["raw"].state_dict().keys() == nets["rectified"].state_dict().keys()
    assert not torch.equal(nets["raw"](images), nets["rectified"](images))


@pytest.mark.parametrize(("depth", "count"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)])
@pytest.mark.parametrize("shortcut", ["slice", "avgpool"])
def test_residual_networks_have_the_published_number_of_parameters(depth, count, shortcut):
    model = build_model(f"resnet{depth}[shortcut={shortcut}]", (32, 32, 3), 10, LinearHead())
    assert sum(p.numel() for p in model.parameters()) == count
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) + 1 == depth


def test_the_perceptron_of_the_mnist_example():
    assert sum(p.numel() for p in build_model("mlp", (28, 28, 1), 10, LinearHead()).parameters()) == 785 * 256 + 257 * 10


@pytest.mark.parametrize("label", [label for label in LABELS if not label.startswith("resnet110")])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3)])
def test_a_model_gives_one_output_a_class(label, shape):
    images = pictures(shape)
    for head in (LinearHead(), CosineHead(), LargeMarginHead()):
        model = build_model(label, shape, 7, head).eval()
        outputs = model(images)
        assert outputs.shape == (2, 7)
        assert outputs.isfinite().all()
        apart = (model(images[:1]) - outputs[:1]).abs().max()  # an image's outputs do not depend on the others
        assert apart < 1e-4 * outputs.abs().max()


def test_the_two_shortcuts_differ():
    images = pictures((32, 32, 3))
    a, b = (build_model(f"resnet20[shortcut={s}]", (32, 32, 3), 10, LinearHead(), 1).eval() for s in ("slice", "avgpool"))
    assert torch.equal(weights(a), weights(b))
    assert not torch.allclose(a(images), b(images))
    default = build_model("resnet20", (32, 32, 3), 10, LinearHead(), 1).eval()
    assert torch.equal(default(images), a(images))


@pytest.mark.parametrize("label", ["small_cnn", "mlp", "resnet20"])
@pytest.mark.parametrize("head", [LinearHead(), CosineHead(), LargeMarginHead()], ids=lambda h: h.name)
def test_a_model_is_a_function_of_its_seed_alone(label, head):
    torch.manual_seed(1)
    first = weights(build_model(label, (8, 8, 1), 10, head, 5))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    second = weights(build_model(label, (8, 8, 1), 10, head, 5))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, second)
    assert not torch.equal(first, weights(build_model(label, (8, 8, 1), 10, head, 6)))


def test_a_cosine_head_gives_cosines():
    layer = CosineHead().build(16, 10)
    features = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    outputs = layer(features)
    assert (outputs.abs() <= 1 + 1e-6).all() and outputs.abs().max() > 0.3
    torch.testing.assert_close(layer(features * 7), outputs)  # the length of a feature does not matter
    torch.testing.assert_close(outputs[:, 0], torch.cosine_similarity(features, layer.weight[:1]))
    torch.testing.assert_close(layer(layer.weight.detach()).diagonal(), torch.ones(10))
    assert layer(torch.zeros(1, 16)).tolist() == [[0.0] * 10]


def test_a_cosine_head_stays_in_float32_under_autocast():
    layer, features = CosineHead().build(16, 10), torch.full((1, 16), 1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = layer(features)
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, layer(features))


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_angular_margin_is_the_formula_in_the_angle(m):
    """(−1)^k·cos(mθ) − 2k in [kπ/m, (k+1)π/m], continuous and falling from 1 to 1 − 2m."""
    cosines = torch.cosine_similarity(random(1000, 3), random(1000, 3, seed=1))
    angles = cosines.acos()
    k = (m * angles / math.pi).floor()
    assert k.unique().tolist() == list(range(m))
    torch.testing.assert_close(angular_margin(cosines, m), (-1) ** k * (m * angles).cos() - 2 * k)
    edges = torch.arange(m + 1, dtype=torch.float64) * math.pi / m
    for beside in (edges - 1e-9, edges, edges + 1e-9):
        torch.testing.assert_close(angular_margin(beside.cos(), m), 1 - 2 * torch.arange(m + 1).double(), atol=1e-7, rtol=0)
    falling = angular_margin(torch.linspace(0, math.pi, 500, dtype=torch.float64).cos(), m)
    assert (falling.diff() < 0).all()
    assert torch.autograd.gradcheck(lambda c: angular_margin(c, m), cosines[:50].clone().requires_grad_())


def large_margin(m=3, **keys):
    torch.manual_seed(0)
    return LargeMarginHead(lm_margin=m, **keys).build(16, 10), random(20, 16).float(), torch.arange(20) % 10


def test_a_large_margin_changes_the_column_of_the_label_alone():
    """It becomes (λ·cos θ + ψ(θ))/(1 + λ), where λ falls by a hundredth per step to its smallest value."""
    layer, features, labels = large_margin(lm_lambda=4.0, lm_lambda_min=3.9)
    plain, own = features @ layer.weight.T, torch.nn.functional.one_hot(labels, 10).bool()
    lengths = features.norm(dim=1) * layer.weight[labels].norm(dim=1)
    bent = lengths * angular_margin(plain[own] / lengths, 3)
    for share in (4.0, 3.96, 3.9204, 3.9, 3.9):
        outputs = layer(features, labels)
        torch.testing.assert_close(outputs[own], (share * plain[own] + bent) / (1 + share))
        assert torch.equal(outputs[~own], plain[~own])
        assert (outputs[own] < plain[own]).all()


def test_a_large_margin_of_one_is_a_layer_without_bias():
    layer, features, labels = large_margin(m=1, lm_lambda=0.0, lm_lambda_min=0.0)
    torch.testing.assert_close(layer(features, labels), features @ layer.weight.T)
    assert not hasattr(layer, "bias")


def test_a_large_margin_is_for_training_and_counts_its_steps():
    layer, features, labels = large_margin()
    plain = features @ layer.weight.T
    assert torch.equal(layer(features), plain)
    assert torch.equal(layer.eval()(features, labels), plain)
    assert layer.state_dict()["steps"] == 0
    first, second = (layer.train()(features, labels) for _ in range(2))
    assert layer.state_dict()["steps"] == 2 and not torch.equal(first, second)
    other = large_margin()[0]
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(features, labels), layer(features, labels))


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_large_margin_has_finite_gradients_at_any_angle_and_length(m, bf16):
    """The features are parallel to the weights, opposite to them, at a right angle, or zero."""
    layer, _, _ = large_margin(m, lm_lambda=0.0, lm_lambda_min=0.0)
    w = layer.weight.detach().clone()
    right = w[1] - (w[1] @ w[0]) / (w[0] @ w[0]) * w[0]
    features = torch.stack([w[0], -w[0], right, 0 * w[0], 1e-30 * w[0], 1e8 * w[0]]).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        outputs = layer(features, torch.zeros(6, dtype=torch.int64))
    assert outputs.dtype == torch.float32
    size = w[0].norm().item() ** 2
    assert outputs[:2, 0].tolist() == pytest.approx([size, size * (1 - 2 * m)], rel=1e-5)
    gradients = torch.autograd.grad(outputs.sum(), [features, layer.weight])
    assert outputs.isfinite().all() and all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("resnet33", "unknown model 'resnet33': did you mean 'resnet"),
        ("resnet32[shortcut=max]", "unknown shortcut 'max'"),
        ("resnet32[shortcuts=slice]", "unknown option 'shortcuts': did you mean 'shortcut'"),
        ("wrn28_2[shortcut=slice]", "unknown shortcut 'slice'"),
        ("wrn28_2[norm_eps=small]", "wrn28_2: norm_eps must be a number, got 'small'"),
        ("wrn28_2[norm_momentum=0]", "wrn28_2: norm_momentum must be above 0 and at most 1, got 0"),
        ("mlp[width=3]", "unknown option 'width'"),
        ("mlp[", "does not have the form"),
    ],
)
def test_a_model_that_is_not_there_is_refused_before_anything_runs(label, words):
    for check in (check_model, build_model):
        with pytest.raises(UserError) as error:
            check(label, (32, 32, 3), 10, LinearHead())
        assert words in str(error.value)


@pytest.mark.parametrize("label", list(MODELS))
def test_checking_a_model_leaves_the_global_generator_alone(label):
    state = torch.get_rng_state()
    check_model(label, (32, 32, 3), 10, LinearHead())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("how", "std"), [("glorot", math.sqrt(2 / (256 + 10))), ("pytorch", 1 / math.sqrt(3 * 256))])
def test_a_recipe_may_draw_linear_classifiers_otherwise(how, std):
    """Xavier normal, as in public semi-supervised code; or U(±1/√width) for weights and biases, as in PyTorch."""
    net = build_model("mlp", (28, 28, 1), 10, LinearHead(), head_init=how)
    plain, cosine = build_model("mlp", (28, 28, 1), 10, LinearHead()), build_model("mlp", (28, 28, 1), 10, CosineHead())
    assert net.classifier.weight.std().item() == pytest.approx(std, rel=0.05)
    assert (net.classifier.bias == 0).all() == (how == "glorot") and (plain.classifier.bias == 0).all()
    same = zip(net.backbone.parameters(), plain.backbone.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in same), "the classifier alone is drawn otherwise"
    other = build_model("mlp", (28, 28, 1), 10, CosineHead(), head_init=how)
    assert torch.equal(other.classifier.weight, cosine.classifier.weight), "a head without linear layers stays as it is"


def test_weights_start_at_the_scale_of_he():
    """kaiming_normal: the standard deviation is √(2/fan_in)."""
    model = build_model("resnet32", (32, 32, 3), 10, LinearHead())
    conv = model.backbone.groups[-1][-1].conv2.weight
    assert conv.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert model.classifier.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.1)
