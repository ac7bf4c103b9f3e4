"""Plug-in files: what they register, what an edit changes, and how a wrong file is rejected."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys

import pytest
import torch

from lt_core import plugins
from lt_core.data.sets import DATASETS
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.methods import BUILT_IN, METHODS, resolve
from lt_core.models import MODELS
from lt_core.parts import GROUPS
from lt_core.recipes import RECIPES
from lt_core.result import OK, TrialResult
from lt_core.spec import DataSpec, TrialSpec
from lt_core.stages import stage_one
from lt_core.training import run_trial

LOSS = '''
from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from lt_core.fields import param
from lt_core.losses import Loss
from lt_core.methods import Neutral, method
from lt_core.parts import part


@part("loss", "my_loss")
class MyLoss(Loss):
    """Cross-entropy of stretched logits."""

    stretch: float = param(1.0, "factor on the logits; at 1 the loss is cross-entropy", above=0, tune=(0.5, 2.0))

    def bind(self, counts: Tensor):
        return lambda outputs, labels: F.cross_entropy(self.stretch * outputs, labels, reduction="none")


method("my_method", "mine", "stretched logits", "nobody", loss="my_loss", space=("stretch",), neutral=Neutral({"stretch": 1.0}))
'''
OTHERS = """
import numpy as np

from lt_core.data.sets import dataset
from lt_core.models.registry import MODELS, ModelInfo
from lt_core.models.small import MLP
from lt_core.recipes import recipe


def stripes():
    labels = np.arange(60) % 3
    images = np.zeros((60, 8, 8, 1), np.uint8)
    images[np.arange(60), labels] = 200
    images[:, 7, 7, 0] = np.arange(60)
    return (images[:45], labels[:45]), (images[45:], labels[45:])


dataset(name="stripes", about="one row is lit", train_counts=(15,) * 3, test_count=15, image_shape=(8, 8, 1), read=stripes)
MODELS.add("my_net", ModelInfo("my_net", "a perceptron", lambda shape: MLP(64)))
recipe("my_recipe", model="my_net", epochs=1, lr=0.1)
"""


def version(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def trial(label, **data):
    return TrialSpec(DataSpec("digits", **{"imbalance_factor": 10, "n_max": 60, **data}), resolve(label), RECIPES["digits"])


# What is registered ---------------------------------------------------------------------------------


def test_a_file_registers_and_is_forgotten(load):
    before = list(METHODS), list(GROUPS["loss"])
    plugin = load(LOSS)
    assert plugins.registered(plugin) == [("loss", "my_loss"), ("method", "my_method")]
    assert plugin.version == version(LOSS) and plugins.loaded()[-1] == plugin
    assert "my_method" in METHODS and "my_loss" in GROUPS["loss"]
    plugins.forget(plugin.version)
    assert (list(METHODS), list(GROUPS["loss"])) == before
    assert f"lt_plugin_{plugin.version}" not in sys.modules


def test_a_method_of_a_file_is_not_asked_for_an_entry_among_our_references(load):
    """References compare our own methods with their sources; authors of plug-ins use `lt_core.testing`."""
    load(LOSS)
    assert "my_method" in METHODS and "my_method" not in BUILT_IN and set(BUILT_IN) < set(METHODS)


def test_what_a_file_imports_is_not_its_own(load, tmp_path, monkeypatch):
    """A library that registers something when it is imported is a package, and names do not have the version of a package."""
    (tmp_path / "my_library.py").write_text(LOSS.replace("my_", "their_"))
    monkeypatch.syspath_prepend(tmp_path)
    plugin = load(LOSS + "import my_library\n")
    try:
        assert plugins.registered(plugin) == [("loss", "my_loss"), ("method", "my_method")]
        assert resolve("their_method").name == "their_method" != resolve("my_method").name
    finally:
        METHODS.remove("their_method")
        GROUPS["loss"].remove("their_loss")
        del sys.modules["my_library"]


def test_the_same_text_is_loaded_once_and_an_edited_file_takes_the_place_of_the_former(load):
    first = load(LOSS)
    registered = METHODS["my_method"]
    assert load(LOSS) == first and METHODS["my_method"] is registered
    second = load(LOSS.replace("stretched logits", "logits, stretched"))
    assert METHODS["my_method"].about == "logits, stretched"
    assert [p.version for p in plugins.loaded()][-1] == second.version and first not in plugins.loaded()


def test_a_name_that_another_file_has_is_refused_with_that_file(load, tmp_path):
    load(LOSS, "mine.py")
    with pytest.raises(UserError) as error:
        load(LOSS + "# another file\n", "yours.py")
    words = f"loss 'my_loss' already exists, from plug-in {tmp_path / 'mine.py'}: choose another name"
    assert str(error.value) == f"plug-in {tmp_path / 'yours.py'}, line 13: {words}"


def test_two_files_of_one_name_in_two_folders_are_two(load, tmp_path):
    (tmp_path / "other").mkdir()
    one, two = load(LOSS), load(LOSS.replace("my_", "their_"), "other/my_file.py")
    assert {one, two} <= set(plugins.loaded())


# Identity -------------------------------------------------------------------------------------------


def test_what_a_file_defines_has_its_version_in_names_labels_and_ids(load):
    plugin = load(LOSS)
    at = f"@{version(LOSS)}"
    for label, expected in {
        "my_method": f"my_method{at}",
        "my_method[stretch=2]": f"my_method{at}[stretch=2]",
        "softmax[loss=my_loss]": f"softmax[loss=my_loss{at}]",
        "crt[stage_one=my_method[stretch=2]]": f"crt[stage_one=my_method{at}[stretch=2]]",
        f"my_method{at}": f"my_method{at}",
    }.items():
        spec = trial(label)
        assert spec.method.label == expected
        assert resolve(expected) == spec.method, "a label names the whole method"
        assert spec.versions == {plugin.version}
    assert trial("my_method").method.params["loss"] == f"my_loss{at}"
    assert stage_one(trial("crt[stage_one=my_method]")).trial_id == trial("my_method").trial_id
    assert trial("softmax").versions == trial("crt").versions == set()


def test_an_edit_changes_the_ids_of_what_the_file_defines_and_no_other(load):
    labels = ("my_method", "softmax[loss=my_loss]", "crt[stage_one=my_method]", "softmax", "crt", "focal")
    load(LOSS)
    before = [trial(label) for label in labels]
    load(LOSS + "\n# one more line\n")
    after = [trial(label) for label in labels]
    same = [a.trial_id == b.trial_id for a, b in zip(before, after, strict=True)]
    assert same == [False, False, False, True, True, True]
    assert all((a.method.label == b.method.label) == kept for a, b, kept in zip(before, after, same, strict=True))


def test_ids_are_those_of_the_text_wherever_the_file_lies(load):
    """This is the situation on a node of a cluster, which does not have the file."""
    expected = trial_id_of(load(LOSS))
    plugins.forget(version(LOSS))
    there = plugins.Plugin("/nowhere/my_file.py", LOSS)
    plugins.activate(there)
    try:
        assert trial_id_of(there) == expected
    finally:
        plugins.forget(there.version)


def trial_id_of(plugin):
    return trial(f"my_method@{plugin.version}").trial_id


def test_a_name_of_another_version_is_refused_with_the_reason(load):
    load(LOSS)
    for written, words in {
        "my_method@00000000": f"another version of it is loaded (my_method@{version(LOSS)})",
        "their_method@00000000": "that is not loaded: pass that file",
        "softmax[loss=my_loss@00000000]": f"another version of it is loaded (my_loss@{version(LOSS)})",
        "crt[stage_one=my_method@00000000]": "another version of it is loaded",
    }.items():
        with pytest.raises(UserError, match="comes from a plug-in file that is not loaded") as error:
            resolve(written)
        assert words in str(error.value) and "--plugin" in str(error.value)


def test_sets_models_and_recipes_of_a_file(load):
    plugin = load(OTHERS)
    at = f"@{plugin.version}"
    assert plugins.registered(plugin) == [("dataset", "stripes"), ("model", "my_net"), ("recipe", "my_recipe")]
    assert [r.versioned(n) for r, n in ((DATASETS, "stripes"), (MODELS, "my_net[a=1]"))] == [f"stripes{at}", f"my_net{at}[a=1]"]
    assert RECIPES["my_recipe"].name == RECIPES["my_recipe"].label == f"my_recipe{at}"
    assert dataclasses.replace(RECIPES["my_recipe"], lr=0.2).label == f"my_recipe{at}[lr=0.2]"
    part = DATASETS.versioned("stripes_0v2")
    assert part == f"stripes_0v2{at}" and DATASETS[part].train_counts == (15, 15)
    assert load_set(part).train_labels.tolist() == [0] * 15 + [1] * 15
    spec = TrialSpec(DataSpec(f"stripes{at}", imbalance_factor=5), resolve("softmax"), RECIPES["my_recipe"])
    assert spec.versions == {plugin.version}
    result = run_trial(spec)
    assert (result.status, sum(result.train_counts)) == (OK, 15 + 6 + 3)


def test_a_set_that_cannot_be_made_is_refused_in_one_sentence(load):
    load(OTHERS.replace("labels = np.arange(60) % 3", "raise ValueError('no room')"))
    with pytest.raises(UserError, match=r"^dataset stripes cannot be created \(ValueError: no room\): fix its read\(\)$"):
        load_set("stripes")


def test_a_set_of_ones_own_is_found_in_a_folder(load, tmp_path):
    from PIL import Image

    load(
        "from lt_core.data.sets import dataset\n"
        "dataset(name='grey', about='two greys', train_counts=(3, 3), test_count=2, image_shape=(4, 4, 1), aliases=('grey',))\n"
    )
    with pytest.raises(UserError, match=r"grey was not found under .*no source for a download is known"):
        load_set("grey", str(tmp_path))
    for part, count in (("train", 3), ("test", 1)):
        for label in range(2):
            for number in range(count):
                file = tmp_path / "grey" / part / str(label) / f"{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (4, 4), 100 * label + number).save(file)
    found = load_set("grey", str(tmp_path))
    assert found.train_images[:, 0, 0, 0].tolist().count(100) == 1 and len(found.test_labels) == 2


# Rows, read where the file is not --------------------------------------------------------------------


def test_a_record_is_read_without_the_file_or_beside_another_version_of_it(load):
    load(LOSS), load(OTHERS, "others.py")
    at = f"@{version(OTHERS)}"
    specs = [
        trial("my_method[stretch=2]"),
        trial("crt[stage_one=my_method]"),
        TrialSpec(DataSpec(f"stripes{at}", imbalance_factor=5), resolve("softmax"), RECIPES["my_recipe"]),
        TrialSpec(DataSpec(f"stripes{at}", "natural"), resolve("my_method"), RECIPES["my_recipe"]),
    ]
    records = [json.loads(json.dumps(TrialResult(spec, "failed", "no").to_record())) for spec in specs]
    for state in ("there", "gone", "another"):
        if state == "gone":
            plugins.forget(version(LOSS)), plugins.forget(version(OTHERS))
        if state == "another":
            load(LOSS + "\n"), load(OTHERS + "\n", "others.py")
        for spec, record in zip(specs, records, strict=True):
            read = TrialResult.from_record(record)
            assert read.trial_id == record["trial_id"] == spec.trial_id, state
            assert read.spec == spec and read.spec.method.label == spec.method.label
    failed = run_trial(specs[0])
    assert (failed.status, "another version of it is loaded" in failed.cause) == ("failed", True)


def test_a_record_of_a_packages_method_keeps_its_id_beside_a_file_with_the_same_names(load):
    """Versions are added to names that users write, never to names in a record."""
    record = TrialResult(trial("softmax")).to_record()
    record["spec"]["method"] = {"name": "my_method", "params": {"loss": "my_loss"}, "label": "my_method"}
    record["spec"]["recipe"]["model"] = "my_net"
    record["spec"]["data"]["dataset"] = "mnist"
    before = TrialSpec.from_dict(record["spec"]).trial_id
    load(LOSS), load(OTHERS, "others.py")
    assert TrialSpec.from_dict(record["spec"]).trial_id == before


# What is wrong with a file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import lt_core\nx = (1,\n", ", line 2: SyntaxError: '(' was never closed"),
        ("import lt_core\n\nx = missing\n", ", line 3: NameError: name 'missing' is not defined"),
        ("import nowhere_to_be_found\n", ", line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def f():\n    raise RuntimeError\nf()\n", ", line 2: RuntimeError"),
        (LOSS.replace("def bind", "def tie"), ", line 23: TypeError: Can't instantiate abstract class MyLoss with"),
        ("import sys\nsys.exit('enough')\n", ", line 2: SystemExit: enough"),
        (
            "x = 1\n",
            ": the file registers nothing: call method(…), recipe(…) or dataset(…), or use @part(…), @metric(…) or @logger(…)",
        ),
        (LOSS.replace('@part("loss"', '@part("los"'), ", line 13: unknown group of parts 'los': did you mean 'loss'"),
        (LOSS.replace('"my_loss")', '"focal")'), ", line 13: loss 'focal' already exists: choose another name"),
        (LOSS.replace('"my_method", "mine"', '"ldam", "mine"'), ", line 23: method 'ldam' already exists: choose another name"),
        (
            LOSS.replace('"my_method", "mine"', '"my method", "mine"'),
            ", line 23: method 'my method' may contain only letters, digits",
        ),
        (
            LOSS.replace("    stretch", "    cb_beta"),
            ", line 13: loss my_loss and weights effective_number both have a parameter cb_",
        ),
        (
            LOSS.replace("space=", "strech=2.0, space="),
            ", line 23: my_method: unknown parameter 'strech': did you mean 'stretch'",
        ),
        (
            LOSS.replace('("stretch",)', '("tau",)'),
            ", line 23: my_method: space names the parameter tau, which none of its parts has",
        ),
    ],
    ids=lambda value: value[:40] if value.startswith((",", ":")) else "",
)
def test_a_file_that_is_wrong_is_refused_with_its_line_and_leaves_nothing_behind(load, tmp_path, text, says):
    before = list(METHODS), list(GROUPS["loss"]), plugins.loaded()
    with pytest.raises(UserError) as error:
        load(text)
    assert str(error.value).startswith(f"plug-in {tmp_path / 'my_file.py'}{says}")
    assert "\n" not in str(error.value)
    assert (list(METHODS), list(GROUPS["loss"]), plugins.loaded()) == before


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"^plug-in nowhere\.py cannot be read: No such file or directory$"):
        plugins.load("nowhere.py")
    (tmp_path / "bytes.py").write_bytes(b"x = '\xff'")
    with pytest.raises(UserError, match="is not UTF-8 text"):
        plugins.load(tmp_path / "bytes.py")


def test_a_failure_in_the_file_shows_its_line_where_there_is_no_file(load):
    text = LOSS.replace(
        "return lambda outputs, labels: F", "raise ValueError('no counts')\n        return lambda outputs, labels: F"
    )
    there = plugins.Plugin("/nowhere/my_file.py", text)
    plugins.activate(there)
    try:
        result = run_trial(trial("my_method"))
    finally:
        plugins.forget(there.version)
    assert result.cause == "ValueError: no counts" and "raise ValueError('no counts')" in result.traceback


def test_provenance_is_what_is_loaded(load):
    assert plugins.provenance() == {}
    load(LOSS)
    assert plugins.provenance() == {"plugins": [{"file": "my_file.py", "sha256": hashlib.sha256(LOSS.encode()).hexdigest()}]}


def test_a_trial_gives_the_figures_of_the_same_loss_of_ours(load, figures):
    """At its neutral point it is softmax, to the bit, no matter where it was registered."""
    load(LOSS)
    torch.manual_seed(5)
    assert figures(run_trial(trial("my_method"))) == figures(run_trial(trial("softmax")))
