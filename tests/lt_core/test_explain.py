"""Heat maps, compared with values by hand, Captum and exact expectations; where a network's map is; scores of known cases."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import nn
from torchvision.models import resnet18

from lt_core.errors import UserError
from lt_core.explain import EXPLANATIONS, Softmaxed, explanation, places
from lt_core.explain.gradcam import enlarged, weighed
from lt_core.explain.rise import Rise
from lt_core.explain.scores import deletion, insertion, pointing, share_inside
from lt_core.models import MODELS, build_model
from lt_core.models.heads import LinearHead
from lt_core.steps.bbn import TwoBranches


def pictures(count: int, channels: int, side: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))


class Readout(nn.Module):
    """A convolution, the means of its maps, and one linear layer: logit_c = Σ_k w_ck · mean(A^k) + b_c."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 3, 1)
        self.linear = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.maps(images).mean(dim=(2, 3)))


# Grad-CAM ------------------------------------------------------------------------------------------------------------------


def test_grad_cam_of_a_linear_readout_by_hand():
    """The slope of logit c by every place of A^k is w_ck / 4, so the heat is max(0, Σ_k w_ck · A^k) / 4."""
    net = Readout()
    weight, bias = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, 0.5, 0.0])
    with torch.no_grad():
        net.maps.weight.copy_(weight[:, None, None, None])
        net.maps.bias.copy_(bias)
        net.linear.weight.copy_(torch.tensor([[1.0, 1.0, 2.0], [0.0, -1.0, 0.0]]))
    picture = torch.tensor([[[[1.0, 2.0], [-1.0, 0.0]]]])
    heat = explanation("gradcam").heat(Softmaxed(net), picture.expand(2, -1, -1, -1), torch.tensor([0, 1]))
    # class 0: (1 − 2 + 1)·x + 0.5 = 0.5 everywhere; class 1: −(−2x + 0.5) = 2x − 0.5
    assert torch.allclose(heat[0], torch.full((2, 2), 0.5 / 4))
    assert torch.allclose(heat[1], torch.tensor([[1.5, 3.5], [0.0, 0.0]]) / 4)


def test_a_map_has_the_places_of_the_networks_last_maps_or_those_of_the_picture():
    net = resnet18(weights=None)
    images = torch.zeros(2, 3, 64, 96)
    assert explanation("gradcam").places(Softmaxed(net), images) == (2, 3)
    assert explanation("rise").places(Softmaxed(net), images) == (64, 96)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_grad_cam_of_torchvision_is_captums(name):
    from torchvision import models

    torch.manual_seed(0)
    net = models.get_model(name, weights=None, num_classes=5).eval()
    images, labels = pictures(3, 3, 64), torch.tensor([0, 3, 4])
    theirs = LayerGradCam(net, net.layer4).attribute(images, labels, relu_attributions=True)
    ours = explanation("gradcam[batch=2]").heat(Softmaxed(net), images, labels)
    assert ours.max() > 0
    assert torch.allclose(ours, enlarged(theirs[:, 0].detach(), 64, 64), atol=1e-5 * theirs.max().item(), rtol=1e-5)


@pytest.mark.parametrize("label", ["resnet20", "wrn28_2", "small_cnn"])
def test_grad_cam_of_our_networks_is_captums(label):
    net = build_model(label, (16, 16, 3), 4, LinearHead()).eval()
    images, labels = pictures(2, 3, 16), torch.tensor([1, 2])
    layer = net.backbone.norm if label == "wrn28_2" else net.backbone.groups[-1]
    theirs = LayerGradCam(net, layer).attribute(images, labels, relu_attributions=True)
    ours = explanation("gradcam").heat(Softmaxed(net), images, labels)
    assert torch.allclose(ours, enlarged(theirs[:, 0].detach(), 16, 16), atol=1e-5 * theirs.max().item(), rtol=1e-5)


def test_what_does_not_speak_for_the_class_is_cold():
    assert weighed(torch.ones(1, 2, 3, 3), -torch.ones(1, 2, 3, 3)).sum() == 0


# Where the map is ----------------------------------------------------------------------------------------------------------

PUBLISHED = {
    "resnet18": (64, (512, 2, 2)),
    "densenet121": (64, (1024, 2, 2)),  # a ReLU changes its last norm in place
    "mobilenet_v3_small": (64, (576, 2, 2)),
    "efficientnet_b0": (64, (1280, 2, 2)),
    "convnext_tiny": (64, (768, 2, 2)),
    "swin_t": (64, (768, 2, 2)),  # channels last
    "vit_b_16": (64, (768, 4, 4)),  # a class token
    "timm/resnet10t": (64, (512, 2, 2)),
    "timm/vit_tiny_patch16_224": (64, (192, 4, 4)),
    "timm/vit_pwee_patch16_reg1_gap_256": (64, (256, 4, 4)),  # a register before the patches, whose mean is the feature
    "timm/swin_tiny_patch4_window7_224": (64, (768, 2, 2)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_map_of_published_networks_is_the_last_one_on_which_the_outputs_depend(name):
    side, shape = PUBLISHED[name]
    classifier = Softmaxed(build_model(name, (side, side, 3), 3, LinearHead()))
    images, labels = pictures(2, 3, side), torch.tensor([0, 2])
    place = places.found(classifier, images)
    maps, slopes = places.seen_at(place, classifier, images, labels)
    assert maps.shape == slopes.shape == (2, *shape)
    assert slopes.flatten(1).any(dim=1).all()
    heat = explanation("gradcam").heat(classifier, images, labels)
    assert heat.shape == (2, side, side) and (heat >= 0).all()
    assert not any(module._forward_hooks for module in classifier.backbone.modules()), "no hook is left behind"


def test_patches_lie_where_they_are_in_the_picture():
    """A change in the upper right corner changes the upper right token of the embedding most."""
    net = build_model("timm/vit_tiny_patch16_224", (64, 64, 3), 3, LinearHead()).eval()
    norm = net.backbone.network.blocks[0].norm1
    one = pictures(1, 3, 64)
    other = one.clone()
    other[:, :, :16, 48:] += 3
    maps = [
        places.seen_at(places.Place(norm, places._tokens), Softmaxed(net), images, torch.tensor([0]))[0]
        for images in (one, other)
    ]
    moved = (maps[0] - maps[1]).abs().sum(dim=1)[0]
    assert moved.argmax() == 3 and moved.count_nonzero() == 1


def test_of_two_branches_the_place_is_the_one_that_both_see():
    branches = TwoBranches(MODELS["resnet20"].build((16, 16, 3)))
    net = nn.Sequential(branches, nn.Linear(branches.width, 3))
    net.seen = branches.seen  # as a trained network's backbone has it
    place = places.found(Softmaxed(net), pictures(1, 3, 16))
    assert place.module is branches.shared.groups[-1]


def test_a_network_without_places_is_refused_in_one_sentence_and_others_explain_it():
    classifier = Softmaxed(build_model("mlp", (8, 8, 1), 3, LinearHead()))
    images, labels = pictures(2, 1, 8), torch.tensor([0, 1])
    with pytest.raises(UserError, match=r"has no map of the picture, which gradcam needs: use --kind rise or gradient"):
        explanation("gradcam").heat(classifier, images, labels)
    for kind in ("rise[masks=20]", "gradient"):
        assert explanation(kind).heat(classifier, images, labels).shape == (2, 8, 8)


def test_unknown_explanations_and_parameters_are_refused():
    with pytest.raises(UserError, match="did you mean 'gradcam'"):
        explanation("gradcamm")
    with pytest.raises(UserError, match="rise: unknown key 'mask'"):
        explanation("rise[mask=3]")
    assert all(cls.__doc__ for cls in EXPLANATIONS.values())


# Slopes --------------------------------------------------------------------------------------------------------------------


def test_the_gradient_of_a_linear_network_is_its_weight():
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    heat = explanation("gradient").heat(Softmaxed(net), pictures(3, 2, 2), torch.tensor([0, 1, 1]))
    weight = net[1].weight.detach().view(2, 2, 2, 2).abs().amax(dim=1)
    assert torch.allclose(heat, weight[[0, 1, 1]])


# RISE ----------------------------------------------------------------------------------------------------------------------


class Toy:
    """A class's probability is the product of the brightness at two places of a 4 × 4 picture, which is not a sum over places."""

    backbone = nn.Identity()

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def predicted(self, images: torch.Tensor) -> torch.Tensor:
        first = images[:, 0, 0, 0] * images[:, 0, 2, 3]
        return torch.stack([first, 1 - first], dim=1)


def exactly(keep: float) -> torch.Tensor:
    """E[f(I ⊙ M) · M] / E[M] for the toy, over all 2⁴ grids of 2 × 2 cells and all 2 × 2 shifts, in loops."""
    total, weight = torch.zeros(4, 4), torch.zeros(4, 4)
    for bits in itertools.product([0.0, 1.0], repeat=4):
        grid = torch.tensor(bits).view(1, 1, 2, 2)
        chance = keep ** sum(bits) * (1 - keep) ** (4 - sum(bits))
        large = F.interpolate(grid, size=(6, 6), mode="bilinear", align_corners=False)[0, 0]
        for row, column in itertools.product(range(2), repeat=2):
            mask = large[row : row + 4, column : column + 4]
            said = mask[0, 0] * mask[2, 3]
            total += chance / 4 * said * mask
            weight += chance / 4 * mask
    return total / weight


@pytest.mark.parametrize("keep", [0.5, 0.3])
def test_rise_converges_to_its_exact_expectation(keep):
    images, exact = torch.ones(2, 1, 4, 4), exactly(keep)
    errors = []
    for count in (1_000, 100_000):
        heat = Rise(masks=count, cells=2, keep=keep, batch=5_000).heat(Toy(), images, torch.tensor([0, 0]))
        assert torch.equal(heat[0], heat[1])
        errors.append(float((heat[0] - exact).abs().max()))
    assert errors[1] < 0.004 < 0.05 and errors[1] < errors[0]
    assert exact[0, 0] > exact[0, 3] and exact[2, 3] > exact[3, 0], "the places that count are the hottest"


def test_masks_are_between_their_grids_and_the_same_for_all():
    made = Rise(masks=300).drawn(16, 16)
    assert made.shape == (300, 16, 16) and made.min() >= 0 and made.max() <= 1 + 1e-6
    assert made.mean() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(made, Rise(masks=300).drawn(16, 16)) and not torch.equal(made, Rise(masks=300, seed=1).drawn(16, 16))
    assert Rise(masks=3, cells=7).drawn(1, 1).shape == (3, 1, 1)


# Scores --------------------------------------------------------------------------------------------------------------------


def test_deletion_and_insertion_of_a_picture_with_one_bright_place():
    picture = torch.zeros(1, 1, 2, 2)
    picture[0, 0, 1, 0] = 1.0

    def predict(images):
        return images.sum(dim=(1, 2, 3))

    right, wrong = picture[0], torch.tensor([[[4.0, 3.0], [0.0, 2.0]]])
    black = torch.zeros_like(picture)
    # p = 1 0 0 0 0, 1 1 1 1 0; 0 1 1 1 1, 0 0 0 0 1
    assert deletion(predict, picture, right, black, 4).item() == pytest.approx(1 / 8)
    assert deletion(predict, picture, wrong, black, 4).item() == pytest.approx(7 / 8)
    assert insertion(predict, picture, right, black, 4).item() == pytest.approx(7 / 8)
    assert insertion(predict, picture, wrong, black, 4).item() == pytest.approx(1 / 8)


def test_deletion_ends_at_the_background_and_steps_may_be_fewer_than_places():
    images, heat = pictures(3, 2, 5), pictures(3, 1, 5)[:, 0]
    seen = []

    def predict(shown):
        seen.append(shown)
        return shown.mean(dim=(1, 2, 3))

    deletion(predict, images, heat, torch.full_like(images, 7.0), 4)
    assert len(seen) == 5 and torch.equal(seen[0], images) and (seen[-1] == 7).all()
    assert [int((shown == 7).all(dim=1)[0].sum()) for shown in seen] == [0, 6, 12, 19, 25]
    gone = (seen[1] == 7).all(dim=1)
    assert heat[gone].view(3, 6).amin(dim=1).ge(heat[~gone].view(3, 19).amax(dim=1)).all()


def test_pointing_and_share_by_hand():
    mask = torch.tensor([[[True, False], [False, False]]])
    heat = torch.tensor([[[3.0, 1.0], [0.0, 0.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert share_inside(heat, mask).tolist() == [0.75, 0.0, 0.25]
    assert pointing(heat, mask).tolist() == [1.0, 0.0, 0.25]
