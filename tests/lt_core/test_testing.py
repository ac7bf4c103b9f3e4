"""Every check of `lt_core.testing` can fail: each is given something that is wrong in exactly this respect."""

from __future__ import annotations

import textwrap

import pytest

from lt_core import plugins
from lt_core.errors import UserError
from lt_core.testing import CHECKS, REGISTRIES, Case, CheckFailed, cases, cases_of_file, parametrize_with_checks, run_checks

HEAD = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lt_core.augment import Augment
from lt_core.data.sets import dataset
from lt_core.fields import param
from lt_core.losses import Loss
from lt_core.methods import Neutral, method
from lt_core.metrics import metric
from lt_core.models.heads import Head
from lt_core.models.registry import MODELS, Backbone, ModelInfo
from lt_core.parts import part
from lt_core.posthoc import Posthoc
from lt_core.recipes import recipe
from lt_core.regularizer import Regularizer
from lt_core.sampling import Sampling
from lt_core.schedule import Schedule
from lt_core.stages import Stage, Stages
from lt_core.steps import BoundStep, Step
from lt_core.synthesis import Synthesis
from lt_core.weights import Weights

NONE = Neutral({}, equals="wrong", reason="it is wrong")
"""


def declared(words: str, about: str = "wrong") -> str:
    return f"method('wrong', 'mine', '{about}', 'nobody', {words})"


def loss(body: str, fields: str = "", doc: str = '"""Wrong."""', more: str = "", base: str = "Loss") -> str:
    """A loss whose value is the expression ``body`` of outputs z, labels y and class sizes n, and a method that uses it."""
    head = f'@part("loss", "wrong")\nclass Wrong({base}):\n    {doc}\n    {fields}\n\n'
    bind = f"    def bind(self, n):\n        return lambda z, y: {body}\n"
    return f"{head}{bind}{more}\n" + declared("loss='wrong', neutral=NONE")


def sampling(order: str) -> str:
    head = '@part("sampling", "wrong")\nclass Wrong(Sampling):\n    """Wrong."""\n\n'
    return f"{head}    def epoch(self, labels, counts, generator, progress=0.0):\n        return {order}"


#: A stage whose network has another form than the method's own.
OTHER_FORM = """
def of_another_form(context):
    net = context.training().model
    no_bias = nn.Linear(net.width, len(context.split.counts), bias=False)
    return Stage(context.training(model=type(net)(net.backbone, no_bias)))
"""


def of_group(group: str, methods: dict[str, str], before: str = "") -> str:
    """A part of ``group`` with these ``methods``: signature → the expression that it returns."""
    head = f'{before}\n\n\n@part("{group}", "wrong")\nclass Wrong({group.capitalize()}):\n    """Wrong."""\n'
    return head + "".join(f"\n    def {declared}:\n        return {value}\n" for declared, value in methods.items())


NOISE = """
class Noise(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.weight.data *= float(np.random.rand())


class Centred(nn.Linear):
    def forward(self, features):
        outputs = super().forward(features)
        return outputs - outputs.mean(0)
"""
EQUAL = {"bind(self, n)": "n / n"}
FIRST = {"start(self, epochs)": "0"}


def step(change: str) -> str:
    """A step whose loss is ``change`` of the plain ``loss``."""
    return f'''
class Bound(BoundStep):
    calls = 0

    def __call__(self, positions):
        self.calls += 1
        images, labels = self.training.images(positions)
        loss = self.training.objective(*self.training.forward(images, labels), labels)
        return {change}


@part("step", "wrong")
class Wrong(Step):
    """Wrong."""

    def bind(self, training):
        return Bound(training)
'''


def model(features: str = "hidden.flatten(1)", width: int = 64, before: str = "", about: str = "wrong") -> str:
    return f'''
class Wrong(Backbone):
    width = {width}

    def __init__(self, shape):
        super().__init__()
        self.layer = nn.Linear(shape[0] * shape[1] * shape[2], 64)
        {before}

    def forward(self, images):
        hidden = self.layer(images.flatten(1))
        return {features}


MODELS.add("wrong", ModelInfo("wrong", "{about}", Wrong))
'''


def images(counts: tuple[int, ...] = (6, 6), test: str = "255 - train", declared: tuple[int, ...] | None = None) -> str:
    return f"""
def read():
    labels = np.repeat(np.arange(2), {counts})
    train = np.zeros((len(labels), 8, 8, 1), np.uint8)
    train[..., 0, 0] = np.arange(len(labels))[:, None]
    return (train, labels), ({test}, labels)


known = dict(train_counts={declared or counts}, test_count={sum(counts)}, image_shape=(8, 8, 1))
dataset(name="wrong", about="wrong", read=read, **known)
"""


def figure(value: str, declared: str = "") -> str:
    """A metric whose value is the expression ``value`` of an outcome ``o``."""
    return f"@metric('wrong', 'something wrong', {declared})\ndef wrong(o):\n    return {value}\n"


CE = "F.cross_entropy(z, y, reduction='none')"
LOG_OF_SOFTMAX = "-z.softmax(1).gather(1, y[:, None])[:, 0].log()"
#: Check → a file that fails it, and what the message says.
WRONG = {
    "its_declaration_is_whole": (declared("neutral=NONE", about=""), "its 'about' is empty"),
    "its_neutral_point_is_stated": (declared("loss='sigmoid', neutral=Neutral({}, 'sigmoid')"), "must say why"),
    "it_is_the_plainer_method_at_its_neutral_point": (
        declared("loss='logit_adjusted', neutral=Neutral({'tau': 0.5})"),
        "at {'tau': 0.5} its figures differ from those of softmax",
    ),
    "it_is_another_away_from_it": (
        declared("loss='logit_adjusted', tau=0.0, neutral=Neutral({'tau': 0.0})"),
        "as declared, it has the same figures as softmax",
    ),
    "it_is_not_softmax_as_it_says": (declared("neutral=NONE"), "it has the same figures as softmax"),
    "its_label_names_all_of_it": (
        loss(CE, "mode: str = param('a', 'which', tune=('a', 'b,c'))") + "\n" + declared(
            "loss='wrong', space=('mode',), neutral=NONE").replace("'wrong', 'mine'", "'wrong2', 'mine'"),
        "does not have the form key=value",
    ),
    "it_learns_with_a_class_of_one_image": (loss(f"{CE} / (n - 1)[y]"), "diverged: training loss became"),
    "it_takes_any_number_of_classes": (loss("F.cross_entropy(z + torch.zeros(10), y, reduction='none')"), "must match the size"),
    "it_learns_a_small_batch_by_heart": (loss("F.cross_entropy(0 * z, y, reduction='none')"), "% of twenty training"),
    "its_figures_are_those_of_its_seed": (loss(f"float(np.random.rand()) * {CE}"), "it has different figures"),
    "its_recorded_step_is_its_step": (
        "import itertools\n\nTURN = itertools.count()\n\n\n" + loss(f"(1 + next(TURN) % 3 // 2) * {CE}", "captured = True"),
        "its step decides something on the host",
    ),
    "it_runs_on_a_gpu": (loss(f"{CE} * (1 + 0 * float(z.detach().sum()))", "captured = True"), "wait by _local_scalar_dense at"),
    "its_loss_is_finite_at_extreme_logits": (loss(LOG_OF_SOFTMAX), "its loss or gradient is not finite"),
    "it_is_what_its_group_expects": (
        loss(CE, base="Sampling", more="\n    epoch = None\n"), "Wrong is not a Loss: derive it from lt_core.losses.base.Loss",
    ),
    "it_says_what_it_is": (loss(CE, doc="pass"), "Wrong has no docstring"),
    "all_its_fields_are_parameters": (loss(CE, "extent: float = 2.0"), "field extent is not declared with param"),
    "its_parameters_are_its_groups_own": (loss(CE, "head: str = param('a', 'which')"), "head has the name of a group of parts"),
    "its_defaults_lie_in_their_domains": (loss(CE, "extent: float = param(2.0, 'how far', high=1)"), "extent must be in"),
    "it_refuses_values_outside_a_domain": (
        loss(CE, "extent: object = param(0.1, 'how far', low=0, high=1)"), "extent = 'many' is accepted",
    ),
    "it_is_one_number_an_image": (loss("F.cross_entropy(z, y)"), "give losses of shape [], not [10]"),
    "it_is_each_images_own": (loss(f"{CE} * z.std()"), "ten images have different losses in one batch than one by one"),
    "it_falls_as_the_right_output_rises": (loss(f"-{CE}"), "the loss of class 0 is"),
    "it_is_finite_at_extreme_outputs": (loss(LOG_OF_SOFTMAX), "losses are not finite"),
    "its_probabilities_are_probabilities": (
        loss(CE, more="\n    def probabilities(self, logits):\n        return logits\n"), "probabilities from -",
    ),
    "it_knows_weights_of_one": (
        loss(CE, more=f"\n    def bind_weighted(self, n):\n        return lambda z, y, w: 2 * {CE}\n"), "than bind",
    ),
    "it_knows_every_label": (
        loss(CE, more="\n    def bind_every(self, n):\n        return lambda z, w: -z.softmax(dim=1)\n"), "than bind_weighted",
    ),
    "it_gives_positions_of_images": (sampling("torch.rand(len(labels), generator=generator)"), "an epoch is torch.float32"),
    "it_draws_from_its_generator_alone": (sampling("torch.randperm(len(labels))"), "the same generator gives different epochs"),
    "it_draws_anew_each_epoch": (sampling("torch.arange(len(labels))"), "two of three epochs have the same order"),
    "it_forgets_no_image": (sampling("torch.randperm(len(labels) - 1, generator=generator)"), "57 of 58 images are drawn"),
    "its_loss_is_a_scalar_to_descend": (step("loss.detach()"), "the loss of a batch has no gradient"),
    "it_draws_from_the_trainings_generators": (step("loss * float(np.random.rand())"), "generators have other seeds"),
    "it_goes_on_from_its_state": (step("loss * self.calls"), "it ends with different weights than without a stop"),
    "it_gives_one_output_a_class": (model(width=32), "shapes cannot be multiplied"),
    "it_judges_each_image_alone": (model("hidden - hidden.mean(0)"), "when another is in the batch"),
    "it_begins_from_its_seed_alone": (
        model(before="self.layer.weight.data *= float(np.random.rand())"), "the same seed gives different weights",
    ),
    "all_its_weights_are_trained": (model(before="self.idle = nn.Linear(2, 2)"), "reaches backbone.idle.weight"),
    "it_is_what_it_declares": (images((6, 5), declared=(5, 6)), "it has (6, 5) training images per class, but declares (5, 6)"),
    "it_is_the_same_each_time": (images(test="train + np.random.randint(9, 200)"), "reading it again gives different images"),
    "its_test_images_are_not_those_of_training": (images(test="train"), "100 % of the test images"),
    "a_network_can_be_trained_on_it": (images((1, 1)), "leaves class 1 without images"),
    "it_weighs_each_class": (of_group("weights", {"bind(self, n)": "-n[1:]"}), "class sizes of shape [5] give weights of"),
    "it_weighs_each_image": (
        of_group("weights", EQUAL | {"of_images(self, w, z, h, y)": "w"}), "ten images get weights of shape [5], not [10]",
    ),
    "its_averages_are_those_of_torch": (
        of_group("weights", EQUAL | {"average(self, losses, w)": "(losses * w).sum()"}), "mean=images: the mean of a batch is",
    ),
    "it_gives_probabilities": (of_group("posthoc", {"probabilities(self, z, loss, n)": "z * np.nan"}), "values from nan"),
    "it_corrects_each_image_alone": (
        of_group("posthoc", {"probabilities(self, z, loss, n)": "(z - z.mean(0)).softmax(1)"}), "in one batch than one by one",
    ),
    "it_begins_within_the_training": (
        of_group("schedule", {"start(self, epochs)": "epochs + 1"}), "with 1 epoch, it starts at 2",
    ),
    "it_stays_in_force": (
        of_group("schedule", FIRST | {"rebalances(self, epoch, epochs)": "epoch == 0"}), "with 2 epochs, starting at 0, it",
    ),
    "it_looks_at_each_image_alone": (
        of_group("head", {"build(self, width, classes)": "Centred(width, classes)"}, NOISE), "when others are in the batch",
    ),
    "it_begins_from_torchs_generator": (
        of_group("head", {"build(self, width, classes)": "Noise(width, classes)"}, NOISE), "the same seed gives different",
    ),
    "it_adds_a_scalar_to_descend": (
        of_group("regularizer", {"bind(self)": "lambda h, y: h.square().sum(1).sqrt().sum()"}),
        "for features of zero the gradient of its term is not finite",
    ),
    "it_draws_nothing": (of_group("regularizer", {"bind(self)": "lambda h, y: torch.rand(())"}), "a different term the second"),
    "it_keeps_the_images_that_there_are": (
        of_group("synthesis", {"fill(self, points, labels, seed)": "points[::-1], labels[::-1]"}), "do not come first",
    ),
    "it_draws_from_its_seed_alone": (
        of_group("synthesis", {"fill(self, points, labels, seed)": "points + np.random.rand(), labels"}), "gives different",
    ),
    "it_makes_images_of_images": (of_group("augment", {"bind(self, n)": "lambda x, y, g: x[:1]"}), "images [12, 1, 8, 8] become"),
    "it_draws_from_the_generator_that_it_is_given": (
        of_group("augment", {"bind(self, n)": "lambda x, y, g: x + torch.rand(())"}), "the same generator gives different images",
    ),
    "it_ends_with_a_classifier": (of_group("stages", {"trainings(self, context)": "iter(())"}), "it makes no training at all"),
    "it_says_what_it_costs": (
        of_group("stages", {"trainings(self, context)": "iter([Stage(context.training())])", "work(self, spec, images)": "0"}),
        "its work is 0",
    ),
    "its_weights_are_read_back": (
        of_group("stages", {"trainings(self, context)": "iter([of_another_form(context)])"}, OTHER_FORM),
        "are damaged, or not in the layout of this version",
    ),
    "its_model_can_be_built": ("recipe('wrong', model='resnet3')", "unknown model 'resnet3': did you mean 'resnet3"),
    "it_is_named_and_titled": (figure("o.recall.mean()", "short='a long short name'"), "short has 17 letters"),
    "it_fails_nowhere": (
        figure("1 / int(o.recall[0] < 1)", "needs_calibration=True"), "ZeroDivisionError: division by zero (my_file.py, line",
    ),
    "it_is_a_share": (figure("100 * o.recall.mean()"), "but a share must be between 0 and 1"),
    "it_is_best_for_perfect_predictions": (figure("o.recall.min() / 2"), "wrong of perfect predictions is 0.5, not 1"),
    "it_is_never_worse_for_a_mended_prediction": (
        figure("o.recall.mean()", "lower_is_better=True"), "when a prediction is corrected",
    ),
    "it_is_the_same_whatever_classes_are_called": (figure("o.recall[0]"), "when the classes are renumbered"),
    "it_is_there_where_it_says": (
        figure("o.recall[o.train_counts > 100].mean() if o.train_counts[0] > 100 else np.nan"), "what it is about",
    ),
    "it_is_what_a_clock_measured": (figure("o.recall.mean()", "measured=True, unit=''"), "it depends on predictions"),
}  # fmt: skip
#: Checks whose name is shared by two kinds of things.
WRONG_OF_KIND = {
    ("model", "it_says_what_it_is"): (model(about=""), "model wrong has no description"),
    ("head", "it_gives_one_output_a_class"): (
        of_group("head", {"build(self, width, classes)": "None"}),
        "build gives a NoneType",
    ),
}
ALL = sorted({(kind, check.name) for kind, checks in CHECKS.items() for check in checks})


def wrong(kind: str, name: str) -> tuple[str, str]:
    return WRONG_OF_KIND.get((kind, name)) or WRONG[name]


def test_no_check_is_without_something_that_fails_it():
    assert {name for _, name in ALL} == set(WRONG)


@pytest.mark.parametrize(("kind", "name"), ALL, ids=lambda value: value)
def test_what_is_wrong_is_found_and_said(load, kind, name):
    text, words = wrong(kind, name)
    mine = [case for case in cases(plugins.registered(load(HEAD + text))) if (case.check.kind, case.check.name) == (kind, name)]
    causes = [cause for _, cause, _ in run_checks(mine) if cause]
    assert len(causes) == 1, f"{len(mine)} were checked"
    assert words in causes[0] and "\n" not in causes[0]
    with pytest.raises((CheckFailed, UserError, RuntimeError, ArithmeticError)):  # as pytest sees it
        [case() for case in mine]


SOUND = HEAD + textwrap.dedent('''
    @part("loss", "sound")
    class Sound(Loss):
        """Cross-entropy of stretched logits."""

        stretch: float = param(2.0, "factor on the logits", above=0, tune=(1.0, 2.0))

        def bind(self, counts):
            return lambda outputs, labels: F.cross_entropy(self.stretch * outputs, labels, reduction="none")


    method("sound", "mine", "stretched", "nobody", loss="sound", space=("stretch",), neutral=Neutral({"stretch": 1.0}))
''')


def test_what_is_sound_passes_and_each_check_says_what_it_is(load, tmp_path):
    plugin = load(SOUND)
    found = cases_of_file(tmp_path / "my_file.py")
    assert found == cases(plugins.registered(plugin))
    assert {case.kind for case in found} == {"loss", "method"} and all(case.name == "sound" for case in found)
    assert all(len(case.check.about) > 20 and str(case) == f"{case.kind} sound: {case.check.about}" for case in found)
    assert [(case.id, cause) for case, cause, _ in run_checks(found) if cause] == []


ALONE = (
    HEAD
    + """
@part("augment", "alone")
class Alone(Augment):
    \"\"\"Noise on images.\"\"\"

    def bind(self, counts):
        return lambda images, labels, draw: images + 0.1 * torch.randn(images.shape, generator=draw, device=images.device)
"""
)


def test_a_part_that_no_method_has_is_trained_with_softmax(load):
    found = cases(plugins.registered(load(ALONE)))
    assert {case.check.kind for case in found} == {"part", "augment", "training"}
    assert [(case.id, cause) for case, cause, _ in run_checks(found) if cause] == []


def test_a_part_that_draws_from_a_global_generator_is_found_by_training_too(load):
    """This is about numpy's generator; during training, torch's belongs to the training."""
    drawn = "torch.randn(images.shape, generator=draw, device=images.device)"
    assert drawn in ALONE
    found = cases(plugins.registered(load(ALONE.replace(drawn, "float(np.random.randn())"))))
    causes = {case.check.name: cause for case, cause, _ in run_checks(found) if cause}
    assert "run again after another trial, it has different figures" in causes["its_figures_are_those_of_its_seed"]


def test_nothing_can_be_registered_that_has_no_checks():
    assert set(REGISTRIES) - {"backbone"} <= set(CHECKS), "and a backbone is checked as the model that it is"


def test_authors_parametrise_a_test_of_theirs(load, tmp_path):
    load(SOUND)
    mark = parametrize_with_checks(tmp_path / "my_file.py")
    assert mark.name == "parametrize" and mark.args[0] == "check" and all(isinstance(case, Case) for case in mark.args[1])
    assert mark.kwargs["ids"](mark.args[1][0]) == "loss-sound-it_is_what_its_group_expects"
    assert parametrize_with_checks(method=["sound"], loss=["sound"]).args[1] != []
    with pytest.raises(UserError, match="unknown loss 'sond': did you mean 'sound'"):
        parametrize_with_checks(loss=["sond"])
    with pytest.raises(UserError, match="unknown kind 'losss': did you mean 'loss'"):
        parametrize_with_checks(losss=["sound"])


def test_a_failure_is_told_with_the_line_of_the_file(load):
    text = HEAD + loss("F.cross_entropy(z + torch.zeros(99), y, reduction='none')")
    line = 1 + text[: text.index("torch.zeros(99)")].count("\n")
    causes = [cause for _, cause, _ in run_checks(cases(plugins.registered(load(text)))) if "must match the size" in cause]
    assert len(causes) > 5 and all(cause.endswith(f"(my_file.py, line {line})") for cause in causes)


def test_a_metric_that_always_fails_holds_nothing_and_is_told_with_its_error(load, recwarn):
    found = list(run_checks(cases(plugins.registered(load(HEAD + figure("1 / 0"))))))
    assert [case.check.name for case, cause, _ in found if not cause] == ["it_is_named_and_titled"]
    assert {cause.partition(" (")[0] for _, cause, _ in found if cause} == {"ZeroDivisionError: division by zero"}
    assert not recwarn.list


def test_a_failure_without_words_is_put_into_some(load):
    bare = SOUND.replace("return lambda", "raise RuntimeError\n        return lambda")
    line = 1 + bare[: bare.index("raise RuntimeError")].count("\n")
    found = {cause for case, cause, _ in run_checks(cases(plugins.registered(load(bare)))) if case.check.kind == "loss"}
    assert found - {""} == {f"RuntimeError: no message (my_file.py, line {line})"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "its_declaration_is_whole",
            loss(CE, "extent: float = param(1.0, 'how far', tune=('1', '2'))").replace("neutral", "space=('extent',), neutral"),
            "extent, tried at '1', becomes 1.0",
        ),
        ("its_neutral_point_is_stated", declared("neutral=Neutral({}, reason='none')"), "Neutral({}, equals='', reason='why')"),
        ("it_is_best_for_perfect_predictions", figure("o.recall.mean()", "lower_is_better=True"), "is 1, not 0"),
        ("it_is_never_worse_for_a_mended_prediction", figure("1.0"), "measures nothing"),
        (
            "it_is_never_worse_for_a_mended_prediction",
            figure("o.recall.max() - o.recall.min()"),
            "when a prediction is corrected",
        ),
        ("it_is_there_where_it_says", figure("o.calibration[0].sum()", "about='nothing'"), "does not declare that it needs it"),
        (
            "it_is_there_where_it_says",
            figure("np.nan if o.recall.min() < 0.5 else 1.0", "about='a'"),
            "depends on the predictions",
        ),
        ("it_is_what_a_clock_measured", figure("1.0", "measured=True, unit=''"), "a value although nothing was measured"),
    ],
)
def test_other_ways_to_be_wrong_are_found_too(load, name, text, words):
    found = [cause for case, cause, _ in run_checks(cases(plugins.registered(load(HEAD + text)))) if case.check.name == name]
    assert len(found) == 1 and words in found[0]
