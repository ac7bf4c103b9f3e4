"""`explain`: which pictures are shown, what the figure says, and what is rejected in one sentence."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import bench
from bench.explaining import outcome
from bench.explaining.kept import kept_trials, network
from bench.explaining.pictures import chosen_pictures, sheet
from bench.explaining.scores import smaller_half
from bench.records.store import Store
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.explain import explanation
from lt_core.explain.scores import pointing, share_inside
from lt_core.training.runtime import Runtime
from tests.bench.harness import TINY
from tests.bench.pages import Page
from tests.bench.test_frozen import BACKBONE, SUITE
from tests.bench.test_guide import run_page

SHORT = {
    "recipe": {"base": "digits", "epochs": 4},
    "data": {"dataset": "digits", "imbalance_factor": [10, 50], "n_max": 60},
    "methods": ["over_sampling", "softmax"],
    "seeds": 2,
}
HERE = Runtime(device="cpu")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run of two methods on digits at two imbalance factors, two seeds each, with weights."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, **SHORT}))
    return bench.run(folder / "tiny.yaml", backend="inline", keep="weights", out=folder)


# Which pictures ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 20), st.randoms())
def test_pictures_are_different_ones_and_go_from_head_to_tail(counts, wanted, random):
    labels = np.repeat(np.arange(len(counts)), 20)
    right = np.array([random.random() < 0.5 for _ in labels])
    found = chosen_pictures(labels, right, counts, wanted)
    assert len(found) == wanted == len(set(found.tolist()))
    sizes = [counts[c] for c in labels[found]]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == max(counts)
    assert wanted < 3 or sizes[-1] == min(counts)


def test_right_and_wrong_ones_take_turns_and_a_class_without_wrong_ones_gives_right_ones():
    labels, right = np.array([0, 0, 0, 1, 1, 1]), np.array([False, True, True, True, True, True])
    assert chosen_pictures(labels, right, [9, 3], 4).tolist() == [1, 0, 3, 4]
    assert chosen_pictures(labels, right, [9, 3], 100).tolist() == [1, 0, 2, 3, 4, 5], "no more than there are"


# What is said --------------------------------------------------------------------------------------------------------------


def test_a_sheet_says_what_the_record_says(kept):
    """For the pictures that the first method chose, and for every method."""
    results = [result for result in kept_trials(kept) if result.spec.data.imbalance_factor == 50 and result.spec.seed == 0]
    made = sheet(kept, results, explanation("gradcam"), 20, "true", HERE)
    assert [column.label for column in made.columns] == ["softmax", "over_sampling"]
    assert made.train_counts == results[0].train_counts
    assert made.labels.tolist() == np.repeat(np.argsort(-np.array(made.train_counts), kind="stable"), 2).tolist()
    first = made.columns[0]
    every = np.array(results[0].confusion)
    for label in range(10):
        mine = made.labels == label
        right = (first.predicted == label)[mine].sum()
        assert right == min(1, every[label, label]) if every[label].sum() > every[label, label] else right == 2
    for column in made.columns:
        assert column.heat.shape == (20, 8, 8) and (column.heat >= 0).all()
        assert column.sought.tolist() == made.labels.tolist()
    assert made.places == (4, 4)
    predicted = sheet(kept, results, explanation("gradcam"), 20, "predicted", HERE)
    assert predicted.columns[0].sought.tolist() == first.predicted.tolist()


def test_figures_by_the_command_line(kept, call, tmp_path):
    code, out, err = call("explain", str(kept.path), "--images", "4", "--out", "look.svg")
    assert code == 0, err
    assert out.split() == ["look-digits-if-10.svg", "look-digits-if-50.svg"]
    drawn = (tmp_path / "look-digits-if-50.svg").read_text()
    for words in ("Where methods look: digits IF 50, seed 0", ">softmax<", ">over_sampling<", "60 images", "the picture's class"):
        assert words in drawn, words
    assert drawn.count("✓") + drawn.count("✗") == 4 * 2
    assert "places" not in drawn
    before = (tmp_path / "look-digits-if-10.svg").read_bytes()
    call("explain", str(kept.path), "--images", "4", "--out", "look.svg")
    assert (tmp_path / "look-digits-if-10.svg").read_bytes() == before
    code, out, err = call(
        "explain", str(kept.path), "--method", "soft*", "--kind", "rise[masks=20]", "--of", "predicted", "--out", "one.png"
    )
    assert code == 0, err
    with Image.open(tmp_path / "one-digits-if-10.png") as picture:
        assert picture.width > 300


def test_maps_that_are_too_coarse_to_show_a_shape_say_so(kept, call, tmp_path, monkeypatch):
    monkeypatch.setattr(outcome, "_COARSE", 17)
    for kind, said in (("gradcam", True), ("gradient", False)):
        assert call("explain", str(kept.path), "--kind", kind, "--images", "2", "--out", f"{kind}.svg")[0] == 0
        drawn = (tmp_path / f"{kind}-digits-if-50.svg").read_text()
        assert ("maps of only 4 × 4 places" in drawn) == said


def test_without_a_file_it_lies_in_the_run(kept, call):
    code, out, err = call("explain", str(kept.path), "--kind", "gradient", "--images", "2")
    assert code == 0, err
    assert out.split()[0] == f"{kept.path}/plots/explain-gradient-digits-if-10.svg"


def test_the_page_of_a_run_shows_where_methods_look_and_leaves_out_what_is_damaged(kept, call, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(kept.path, folder, ignore=shutil.ignore_patterns("plots"))
    assert call("explain", str(folder), "--images", "3")[0] == 0
    assert call("report", str(folder))[0] == 0
    page = (folder / "report.html").read_text().replace("<wbr>", "")
    section = page[page.index('<section id="looks">') : page.index('<section id="failures">')]
    assert section.count("<figure") == 2 * 3 * (1 + 2), "two data columns, three pictures, each alone and as two methods see it"
    assert section.count('class="right"') + section.count('class="wrong"') == 2 * 3 * 2
    assert "<h3>Where methods look: digits IF 50, seed 0</h3>" in section and "<b>over_sampling</b>" in section
    assert len(section) < 150_000
    first, second = sorted((folder / "plots").glob("explain-*.json"))
    told = json.loads(first.read_text())
    told["rows"][0][0] |= {"image": base64.b64encode(b"<svg onload=alert(1)>").decode(), "words": "<script>alert(1)</script>"}
    first.write_text(json.dumps(told))
    told = json.loads(second.read_text())
    told["title"] = told["rows"][0][0]["words"] = "<script>alert(1)</script>"
    second.write_text(json.dumps(told))
    assert call("report", str(folder))[0] == 0
    page = (folder / "report.html").read_text()
    assert page.count("<figure") == 3 * (1 + 2) and "<script>alert" not in page
    assert f"<dt>plots/{first.name}</dt><dd>is damaged: run <code>bench.py explain</code> again</dd>" in page


def test_explanations_are_listed(call):
    code, out, _ = call("list", "explanations")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["gradcam", "gradient", "rise"]


# What is refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "gradcm"], "unknown explanation 'gradcm': did you mean 'gradcam'?"),
        (["--kind", "rise[masks=0]"], "rise: masks must be"),
        (["--of", "right"], "--of: unknown class 'right'"),
        (["--only", "nothing"], "--only 'nothing' matches no method of the run"),
        (["--out", "a.gif"], "must end in"),
        (["--scores", "--out", "a.png"], "drop --out and --of"),
        (["--scores", "--of", "predicted"], "drop --out and --of"),
        (["--format", "md"], "--format applies to the tables that --scores prints"),
        (["--scores", "--format", "html"], "unknown format 'html'"),
        (["--device", "cuda:9"], "device"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(kept, call, options, words):
    code, out, err = call("explain", str(kept.path), *options)
    assert (code, out) == (2, "") and words in err and len(err.splitlines()) == 1


def test_a_network_without_a_map_is_refused(call, write_suite, tmp_path):
    suite = write_suite(
        **{**SHORT, "recipe": {"base": "digits", "model": "mlp", "epochs": 1}, "methods": ["softmax"], "seeds": 1}
    )
    bench.run(suite, backend="inline", keep="weights", out=tmp_path, limit=1)
    code, _, err = call("explain", str(tmp_path / "tiny"), "--out", "a.png")
    assert code == 2 and "MLP has no map of the picture, which gradcam needs: use --kind rise" in err
    code, _, err = call("explain", str(tmp_path / "tiny"), "--kind", "rise[masks=10]", "--out", "a.png")
    assert code == 0, err


def test_the_frozen_track_is_refused(call, tmp_path, monkeypatch):
    (tmp_path / "backbone.py").write_text(BACKBONE)
    (tmp_path / "mine.yaml").write_text(SUITE.format(weights="w.pth", methods="[softmax]"))
    features = nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    torch.save(nn.Sequential(*features, nn.Linear(5, 1000)).state_dict(), tmp_path / "w.pth")
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    code, _, err = call("run", "mine.yaml", "--backend", "inline", "--keep", "weights")
    assert code == 0, err
    code, _, err = call("explain", "mine", "--plugin", "backbone.py")
    assert code == 2 and "softmax: a trial of the frozen track is given features of pictures" in err
    assert len(kept_trials(Store.open(tmp_path / "results/runs/mine"))) == 1


# Scores --------------------------------------------------------------------------------------------------------------------


def test_scores_by_the_command_line_are_those_of_the_maps(call, write_suite, tmp_path):
    data = {"dataset": "digits_context80_9v5", "imbalance_factor": 4, "n_max": 60}
    store = bench.run(
        write_suite(**{**SHORT, "recipe": {"base": "digits", "epochs": 2}, "data": data}),
        backend="inline",
        keep="weights",
        out=tmp_path,
    )
    code, out, err = call("explain", str(store.path), "--scores", "--images", "30", "--format", "json")
    assert code == 0, err
    table = json.loads(out[out.index("{") :])
    cells = {(cell["row"], cell["column"]): cell for cell in table["cells"]}
    images = load_set(data["dataset"])
    positions = np.concatenate([np.arange(15), np.arange(50, 65)])
    assert images.test_labels[positions].tolist() == [0] * 15 + [1] * 15
    pixels, labels = torch.from_numpy(images.test_pixels(positions)), torch.from_numpy(images.test_labels[positions])
    shares, tails, hits = [], [], []
    for result in kept_trials(store, "softmax"):
        trained = network(store, result)
        heat = explanation("gradcam").heat(trained, trained.images(pixels), labels)
        mask = (pixels == pixels[..., :1]).all(dim=-1)
        shares.append(share_inside(heat, mask).mean().item())
        tails.append(share_inside(heat, mask)[15:].mean().item())
        hits.append(pointing(heat, mask).mean().item())
    for column, values in (("heat on the object %", shares), ("heat, smaller classes %", tails), ("hottest place on it %", hits)):
        assert cells["softmax", column]["mean"] == pytest.approx(100 * np.mean(values), abs=1e-3)
        assert cells["softmax", column]["n"] == 2
    for column in ("accuracy %", "deletion %", "insertion %"):
        assert 0 < cells["over_sampling", column]["mean"] < 100
    assert any(note.startswith("by chance 25.0 %") for note in table["notes"])


def test_a_mask_of_another_form_is_refused(kept, call, monkeypatch):
    for mask in (lambda pixels: pixels > 0, lambda pixels: pixels[..., 0]):
        info = replace(DATASETS["digits"], mask=mask)
        monkeypatch.setitem(DATASETS._items, "digits", info)
        code, _, err = call("explain", str(kept.path), "--scores", "--images", "20")
        assert code == 2 and "dataset digits: mask gives" in err and "[20, 8, 8]" in err


def test_where_objects_are_unknown_there_are_no_shares(kept, call):
    code, out, err = call("explain", str(kept.path), "--scores", "--only", "softmax", "--images", "20")
    assert code == 0, err
    assert "deletion" in out and "on the object" not in out
    assert out.count("What heat maps are worth") == 2


def test_the_smaller_half_of_the_classes():
    assert sorted(smaller_half([9, 1, 5, 7]).tolist()) == [1, 2]
    assert smaller_half([9, 1, 5]).tolist() == [1]


# The page ------------------------------------------------------------------------------------------------------------------


def test_the_page_on_explanations(call, tmp_path):
    """Its commands run on one trial of two epochs, and its blocks of Python in processes of their own."""
    page = Page("docs/explain.md")
    said = run_page(page, call, tmp_path)
    assert "deletion %" in said["explain mine --scores --images 50"] and "NC4 %" in said["geometry mine"]
    assert (tmp_path / "where.png").stat().st_size > 10_000
    printed = []
    for block in page.python():
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, cwd=tmp_path, timeout=120)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed == ["softmax torch.Size([500, 10])\n", "18 torch.Size([10, 64])\n"]
