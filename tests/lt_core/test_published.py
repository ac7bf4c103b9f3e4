"""Published networks as models: what they consist of, which pictures they take, their weights, and what is trained."""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn

from lt_core.errors import UserError
from lt_core.frozen import Frozen
from lt_core.frozen.features import load_features
from lt_core.models import MODELS, build_model, check_model, resolved_model
from lt_core.models.heads import LinearHead
from lt_core.parts import GROUPS
from lt_core.pretrained import BACKBONES, BackboneInfo, Row
from lt_core.pretrained.files import digest_of
from lt_core.pretrained.weights import left_out
from lt_core.testing.trials import first_training
from lt_core.training import Runtime, run_trial

COLOUR, GREY = (32, 32, 3), (8, 8, 1)


def block(width_in, width, stride=1):
    return nn.Sequential(nn.Conv2d(width_in, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU())


def build_rows(size, classes):
    """A stem, two groups of two blocks, and a classifier."""
    first, second = nn.Sequential(block(4, 4), block(4, 4)), nn.Sequential(block(4, 6, 2), block(6, 6))
    pool, flat = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    parts = {"stem": block(3, 4), "a": first, "b": second, "pool": pool, "flat": flat, "fc": nn.Linear(6, classes)}
    return nn.Sequential(OrderedDict(parts))


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """The label of the model ``rows`` with weights from the file ``w.pth``, in a cache of its own."""
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    BACKBONES.add("rows", BackboneInfo("rows", "a test's", build_rows, 8, row=Row(("stem",), ("a", "b"), ("pool",))))
    torch.manual_seed(42)  # not a seed of any trial
    torch.save(build_rows(8, 7).state_dict(), tmp_path / "w.pth")
    yield resolved_model(f"rows[weights={tmp_path / 'w.pth'}]")
    BACKBONES.remove("rows")


def net_of(label, shape=GREY, seed=0):
    return build_model(label, shape, 10, LinearHead(), seed)


def refused(ask, *given):
    with pytest.raises(UserError) as error:
        ask(*given)
    assert "\n" not in str(error.value)
    return str(error.value)


# What a network is made of -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "mobilenet_v3_small", "timm/test_resnet", "timm/test_convnext"])
def test_a_model_is_the_whole_network_without_its_classifier(name):
    """It is the same to the bit, and initialised from the seed like the library's."""
    ours = net_of(name, COLOUR, seed=3).backbone.eval()
    torch.manual_seed(3)
    theirs = BACKBONES[name].headless(32).eval()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours(images), theirs(images).flatten(1)) and ours.width == BACKBONES[name].width
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize(
    ("name", "groups", "width"),
    [
        ("resnet152", [3, 8, 36, 3], 2048),
        ("resnext50_32x4d", [3, 4, 6, 3], 2048),
        ("vit_b_16", [], 768),
        ("regnet_y_400mf", [], 440),
    ],
)
def test_a_network_is_checked_without_being_made(name, groups, width):
    check_model(name, (224, 224, 3), 1000, LinearHead())
    with torch.device("meta"):
        backbone = net_of(name, COLOUR).backbone
    assert [len(group) for group in backbone.groups] == groups and backbone.width == width


def test_grey_pictures_are_repeated_in_three_channels():
    net = net_of("resnet18").eval()
    grey = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(net(grey), net(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(
    ("label", "shape", "words"),
    [
        ("resnet51", COLOUR, "unknown model 'resnet51': did you mean 'resnet5"),
        ("resnext50_32x4", COLOUR, "did you mean 'resnext50_32x4d'"),
        ("alexnet", COLOUR, "model alexnet cannot process pictures of 32×32 pixels"),
        ("vit_b_16", GREY, "model vit_b_16 cannot process pictures of 8×8 pixels"),
        ("vgg11", GREY, "model vgg11 cannot process pictures of 8×8 pixels"),
        ("squeezenet1_0", COLOUR, "squeezenet1_0 has no linear layer that could be its classifier"),
        ("resnet18", (32, 32, 4), "needs pictures with one or three channels, not 4"),
        ("resnet18[shortcut=slice]", COLOUR, "resnet18: unknown option 'shortcut'"),
        ("resnet18[trained=most]", COLOUR, "unknown value of trained 'most'"),
        ("resnet18[trained=head]", COLOUR, "trained=head would keep random weights: set weights too"),
        ("vit_b_16[weights=c867db91,trained=last_block]", COLOUR, "vit_b_16 does not consist of blocks in sequence"),
        ("resnet18[weights=pretrained]", COLOUR, "does not identify a file: write resnet18[weights=f37072fd]"),
        ("timm/resnt18", COLOUR, "did you mean 'timm/resnet18'"),
        ("timm/resnet18.best", COLOUR, "timm has no weights 'best' for resnet18: choose from resnet18.a1_in1k, "),
        ("timm/deit_tiny_distilled_patch16_224", COLOUR, "is not a single linear layer"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(label, shape, words):
    assert words in refused(check_model, label, shape, 10, LinearHead())


@pytest.mark.parametrize(
    ("step", "words"),
    [("bbn", "mobilenet_v3_small does not consist of blocks"), ("manifold_mixup", "mobilenet_v3_small does not consist")],
)
def test_methods_that_need_blocks_are_refused_where_there_are_none(step, words):
    change = GROUPS["step"][step]().backbone
    assert words in refused(check_model, "mobilenet_v3_small", COLOUR, 10, LinearHead(), change)


def test_without_timm_one_sentence_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for ask in (resolved_model, lambda label: net_of(label, COLOUR), lambda label: resolved_model(f"frozen[backbone={label}]")):
        assert refused(ask, "timm/resnet18") == "timm/resnet18 needs the package timm: pip install 'lt-bench[timm]'"


# Weights -----------------------------------------------------------------------------------------


def test_a_label_says_which_file_and_nothing_that_goes_without_saying(rows, tmp_path):
    digest = digest_of(tmp_path / "w.pth")
    assert rows == f"rows[weights={digest}]" and resolved_model(rows) == rows
    assert resolved_model(f"rows[trained=last_block,weights={digest}]") == f"rows[weights={digest},trained=last_block]"
    assert resolved_model("rows[weights=none,trained=all]") == resolved_model("rows") == "rows"
    assert resolved_model("resnet50[weights=pretrained]") == resolved_model("resnet50[weights=IMAGENET1K_V2]")
    assert resolved_model("resnet50[weights=IMAGENET1K_V1]") == "resnet50[weights=0676ba61]"
    assert resolved_model("resnet18[trained=all]") == "resnet18" and resolved_model("resnet32") == "resnet32"


def test_another_file_is_another_trial(rows, make_spec):
    ids = {make_spec(model=label).trial_id for label in ("rows", rows, "rows[weights=00000000]", f"{rows[:-1]},trained=head]")}
    assert len(ids) == 4


def test_the_weights_are_those_of_the_file(rows, tmp_path):
    whole = build_rows(8, 7)
    whole.load_state_dict(torch.load(tmp_path / "w.pth"))
    (tmp_path / "w.pth").unlink()  # the cache still has the weights that the label names
    net, images = net_of(rows).eval(), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(whole.eval().fc(net.backbone(images)), whole(images))
    assert all(p.requires_grad for p in net.parameters())
    other = net_of(rows, seed=1).eval()
    assert torch.equal(other.backbone(images), net.backbone(images)) and not torch.equal(other(images), net(images))
    with left_out():
        assert torch.equal(net_of(rows).eval()(images), net_of("rows").eval()(images))


def test_a_file_that_is_not_the_one_is_refused(rows, tmp_path):
    (kept,) = (tmp_path / "cache" / "weights").iterdir()
    content = bytearray(kept.read_bytes())
    content[-100] ^= 1
    kept.write_bytes(content)
    assert "has been changed or damaged" in refused(net_of, rows)
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    assert "does not fit backbone rows: it lacks stem.0.weight" in refused(
        net_of, resolved_model(f"rows[weights={tmp_path / 'other.pth'}]")
    )
    (tmp_path / "text.pth").write_text("no weights")
    assert "cannot be read as a file of weights" in refused(net_of, resolved_model(f"rows[weights={tmp_path / 'text.pth'}]"))
    assert "the weights file nowhere.pth does not exist" in refused(resolved_model, "rows[weights=nowhere.pth]")
    assert "rows has no published weights: give weights=FILE" in refused(resolved_model, "rows[weights=pretrained]")
    assert "unknown weights 'IMAGENET1K_V3'" in refused(resolved_model, "resnet18[weights=IMAGENET1K_V3]")


def test_offline_and_without_weights_one_sentence_says_so(tmp_path, monkeypatch):
    def offline(*args, **keys):
        raise OSError("no route to host")

    monkeypatch.setenv("LT_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    said = refused(net_of, resolved_model("resnet18[weights=pretrained]"), COLOUR)
    assert (
        "the weights IMAGENET1K_V1 of resnet18 were not found" in said and "no route to host" in said and "weights=FILE" in said
    )
    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    said = refused(resolved_model, "timm/test_resnet[weights=pretrained]")
    assert (
        "could not be downloaded from timm/test_resnet.r160_in1k (OSError: no route to host)" in said and "weights=FILE" in said
    )


def test_weights_of_timm_come_from_its_hub_in_safetensors(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    theirs = BACKBONES["timm/test_resnet"].build(160, 1000).eval()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    asked = []
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda *words: asked.append(words) or str(tmp_path / "model.safetensors")
    )
    label = resolved_model("timm/test_resnet[weights=pretrained]")
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    assert label == f"timm/test_resnet[weights={digest_of(tmp_path / 'model.safetensors')}]"
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(theirs.fc(net_of(label, COLOUR).eval().backbone(images)), theirs(images))
    frozen = resolved_model("frozen[backbone=timm/test_resnet,size=32,weights=pretrained]")
    assert frozen == f"frozen[backbone=timm/test_resnet,size=32,{label.partition('[')[2]}"
    found = load_features(Frozen.of(frozen), "digits")
    assert found.shape == (1, 1, BACKBONES["timm/test_resnet"].width)
    made = (tmp_path / "cache" / "features").glob("digits-timm-test_resnet-*/train.npy")
    assert len(list(made)) == 1, "the slash of the name is no folder"


# Training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["softmax", "bbn", "manifold_mixup", "ldam_drw", "crt"])
def test_methods_train_a_residual_network(make_spec, make_split, train, method):
    training, losses = train(make_spec(method, model="resnet18", epochs=1), make_split([8, 5, 3]))
    assert losses and all(map(math.isfinite, losses))
    assert training.outputs(training.batches.normalise(training.split.test.pixels)).shape == (16, 3)


def test_pretrained_networks_get_imagenets_normalisation_whatever_the_channels(make_spec, make_split):
    training = first_training(make_spec(model="resnet18", normalize="imagenet", pad=0), make_split([3, 2]))
    pixels = training.split.train.pixels
    expected = pixels.permute(0, 3, 1, 2).repeat(1, 3, 1, 1) / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    expected = expected / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    images = training.batches.normalise(pixels)
    torch.testing.assert_close(images, expected)
    assert training.outputs(images).shape == (5, 2)


def changed(net, before):
    """The tensors of ``net`` that differ from those ``before``, except for batch norm's counters."""
    return {name for name, t in net.state_dict().items() if not torch.equal(t, before[name]) and t.is_floating_point()}


LAST = {f"backbone.groups.1.1.{name}" for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var")}
ALONE = {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize(("trained", "moves"), [("last_block", LAST | ALONE), ("head", ALONE)])
@pytest.mark.parametrize("recipe", [{}, {"ema": 0.5}, {"shrink": 0.1}, {"optimizer": "adam", "lr": 0.01}], ids=str)
def test_what_is_not_trained_stays_as_it_is(rows, make_spec, make_split, trained, moves, recipe):
    """So do batch norm's statistics, and in training, features up to the last block are the same as in evaluation."""
    spec = make_spec(model=f"{rows[:-1]},trained={trained}]", epochs=2, warmup_epochs=0, **recipe)
    training = first_training(spec, make_split([9, 6, 3]))
    before = {name: t.clone() for name, t in training.model.state_dict().items()}
    training.run_epoch()
    assert changed(training.model, before) == moves
    if training.averaged:
        assert changed(training.averaged, before) == moves


def test_the_packaged_network_works_as_in_its_package():
    """It is the same to the bit, even in training, where it leaves out blocks and drops features."""
    ours = net_of("efficientnet_lite0", COLOUR, seed=3).backbone
    torch.manual_seed(3)
    package = importlib.import_module("efficientnet_lite_pytorch")
    theirs = package.EfficientNet.from_name("efficientnet-lite0", image_size=32, num_classes=1000)
    theirs._fc = nn.Identity()
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for training in (True, False):
        found = []
        for net in (ours, theirs):
            torch.manual_seed(7)
            found.append(net.train(training)(images))
        assert torch.equal(*found)


def test_of_the_packaged_network_the_last_block_and_the_convolution_behind_it_are_trained():
    backbone = net_of("efficientnet_lite0[weights=57934424,trained=last_block]", COLOUR).backbone.train()
    trained = {name for name, p in backbone.named_parameters() if p.requires_grad}
    assert {name for name, _ in backbone.named_parameters() if name.startswith(("groups.0.15.", "end."))} == trained
    assert [len(group) for group in backbone.groups] == [16] and len(trained) == 9 + 3
    assert not backbone.stem[1].training and not backbone.groups[0][14].training
    assert backbone.groups[0][15].training and backbone.end.training


def test_a_second_stage_in_training_mode_leaves_what_is_kept_alone(rows, make_spec, make_split, train):
    at = {"kept_norms": "training", "retrain": 1.0}
    spec = make_spec("crt", at, model=f"{rows[:-1]},trained=last_block]", epochs=1, warmup_epochs=0)
    training, _ = train(spec, make_split([9, 6, 3]))
    start = net_of(rows, seed=spec.seed)
    moved = changed(training.model, {**start.state_dict(), **{k: torch.empty(0) for k in ALONE}})
    assert moved - ALONE == LAST


def test_both_branches_of_bbn_are_trained_with_the_last_block_or_refused(rows, make_spec, make_split):
    training = first_training(
        make_spec("bbn", model=f"{rows[:-1]},trained=last_block]", epochs=2, warmup_epochs=0), make_split([9, 6])
    )
    before = {name: t.clone() for name, t in training.model.state_dict().items()}
    training.run_epoch()
    branches = {name.split(".")[1] for name in changed(training.model, before) - ALONE}
    assert branches == {"conventional", "rebalancing"}
    words = refused(first_training, make_spec("bbn", model=f"{rows[:-1]},trained=head]"), make_split([9, 6]))
    assert words == "bbn trains two copies of the last block, which rows keeps fixed: set trained to last_block or all"


def test_dropout_is_a_function_of_seed_and_epoch_alone(make_spec, make_split):
    """It does not depend on other random numbers or on checkpoints, and does not affect any other random numbers."""
    spec, split = make_spec(model="mobilenet_v3_small", epochs=2), make_split([9, 6, 3])

    def losses(noise, resume=False):
        torch.manual_seed(noise)
        training = first_training(spec, split)
        found = [training.run_epoch()]
        if resume:
            state = training.state()
            training = first_training(spec, split)
            training.restore(state)
        torch.rand(noise)
        before = torch.get_rng_state()
        found.append(training.run_epoch())
        assert torch.equal(before, torch.get_rng_state())
        return found

    assert any(isinstance(m, nn.Dropout) and m.p for m in net_of("mobilenet_v3_small").modules())
    assert losses(1) == losses(5) == losses(7, resume=True)


def test_a_trial_of_a_published_network_ends_as_any_other(rows, make_spec, figures):
    spec = make_spec(model=rows, epochs=2)
    first, again = (run_trial(spec, Runtime(device="cpu")) for _ in range(2))
    assert first.status == "ok" and figures(first) == figures(again)
    assert figures(first) != figures(run_trial(dataclasses.replace(spec, recipe=dataclasses.replace(spec.recipe, model="rows"))))


def test_a_registered_model_of_the_same_name_comes_first():
    assert "resnet18" in MODELS and "resnet18" not in list(MODELS)
    assert MODELS["resnet32"].about.startswith("32-layer residual network for 32×32 images")
