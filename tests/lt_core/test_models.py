from __future__ import annotations

import math

import pytest
import torch

from lt_core.errors import UserError
from lt_core.models import MODELS, build_model, check_model
from lt_core.models.heads import CosineHead, LinearHead

LABELS = [*MODELS, *(f"resnet{d}[shortcut={s}]" for d in (20, 32) for s in ("slice", "avgpool"))]


def pictures(shape):
    return torch.rand(2, shape[2], *shape[:2], generator=torch.Generator().manual_seed(0))


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


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
    for head in (LinearHead(), CosineHead()):
        model = build_model(label, shape, 7, head).eval()
        outputs = model(images)
        assert outputs.shape == (2, 7)
        assert outputs.isfinite().all()
        apart = (model(images[:1]) - outputs[:1]).abs().max()  # an image's outputs are its own
        assert apart < 1e-4 * outputs.abs().max()


def test_the_two_shortcuts_differ():
    images = pictures((32, 32, 3))
    a, b = (build_model(f"resnet20[shortcut={s}]", (32, 32, 3), 10, LinearHead(), 1).eval() for s in ("slice", "avgpool"))
    assert torch.equal(weights(a), weights(b))
    assert not torch.allclose(a(images), b(images))
    default = build_model("resnet20", (32, 32, 3), 10, LinearHead(), 1).eval()
    assert torch.equal(default(images), a(images))


@pytest.mark.parametrize("label", ["small_cnn", "mlp", "resnet20"])
@pytest.mark.parametrize("head", [LinearHead(), CosineHead()], ids=lambda h: h.name)
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
    torch.testing.assert_close(layer(features * 7), outputs)  # the length of a feature says nothing
    torch.testing.assert_close(outputs[:, 0], torch.cosine_similarity(features, layer.weight[:1]))
    torch.testing.assert_close(layer(layer.weight.detach()).diagonal(), torch.ones(10))
    assert layer(torch.zeros(1, 16)).tolist() == [[0.0] * 10]


def test_a_cosine_head_stays_in_float32_under_autocast():
    layer, features = CosineHead().build(16, 10), torch.full((1, 16), 1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = layer(features)
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, layer(features))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("resnet33", "unknown model 'resnet33'; the nearest is 'resnet"),
        ("resnet32[shortcut=max]", "unknown shortcut 'max'"),
        ("resnet32[shortcuts=slice]", "unknown option 'shortcuts'; the nearest is 'shortcut'"),
        ("mlp[width=3]", "unknown option 'width'"),
        ("mlp[", "is not of the form"),
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


def test_weights_start_at_the_scale_of_he():
    """kaiming_normal: standard deviation √(2/fan_in), by the input."""
    model = build_model("resnet32", (32, 32, 3), 10, LinearHead())
    conv = model.backbone.groups[-1][-1].conv2.weight
    assert conv.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert model.classifier.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.1)
