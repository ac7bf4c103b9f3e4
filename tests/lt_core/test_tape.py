"""Recordings of steps on a CPU, and heads on stored features, whose steps are recorded there."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import pytest
import torch
from torch import nn

from lt_core.data.trial_images import draw_images
from lt_core.frozen import Frozen
from lt_core.testing.trials import figures_of, first_training, weights_of
from lt_core.training import Runtime, loop, run_trial
from lt_core.training.loop import Training
from lt_core.training.tape import Tape, Taped

HEADS = (
    "softmax", "cb_focal", "ldam_drw", "mm_drw", "large_margin_softmax", "label_aware_smoothing", "crt", "lws", "easy_ensemble",
    "l2rw", "meta_weight_net",
)  # fmt: skip


def taped(body):
    with Tape() as tape:
        body()
    assert not tape.refused
    return tape.program()


def test_a_program_does_again_what_was_done():
    total, held = torch.zeros(()), torch.tensor([1.0, 2.0])

    def body():
        total.add_((held * held).sum())

    again = taped(body)
    assert float(total) == 5
    held.copy_(torch.tensor([3.0, 0.0]))
    again()
    assert float(total) == 14


def test_a_training_step_is_recorded_forward_backward_and_the_optimisers():
    """Five steps of the program are five steps, to the bit, with a value that is used twice and one that is changed in place."""
    ends = []
    for recorded in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(net.parameters(), lr=torch.tensor(0.1), momentum=0.9, weight_decay=0.01, fused=True)
        images, labels = torch.zeros(6, 4), torch.arange(6) % 3

        def step(net=net, optimizer=optimizer, images=images, labels=labels):
            hidden = net(images)
            loss = nn.functional.cross_entropy(hidden, labels) + (hidden * hidden.detach()).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        again = step
        for number in range(7):
            images.copy_(torch.linspace(-1, 1, 24).view(6, 4) * number)
            if recorded and number == 2:
                again = taped(step)
            else:
                again()
        ends.append(weights_of(net))
    assert torch.equal(*ends)


def test_random_numbers_go_on():
    """What is drawn in a recorded step is drawn anew each time, even if nothing uses it."""
    generator, drawn = torch.Generator().manual_seed(0), torch.zeros(2)

    def body():
        torch.rand(3, generator=generator)
        drawn.copy_(torch.rand(2, generator=generator))

    again = taped(body)
    again()
    expected = torch.Generator().manual_seed(0)
    assert torch.equal(torch.stack([torch.rand(5, generator=expected) for _ in range(2)])[1][3:], drawn)


@pytest.mark.parametrize(
    "body",
    [
        lambda x, out: out.copy_(x.split(4)[0]),  # an operation that returns a list of one
        lambda x, out: out.copy_(torch.stack(x.view(2, 2).unbind()).view(4)),
        lambda x, out: out.copy_(x.masked_fill(x > 1, float("-inf"))),
        lambda x, out: out.copy_(x.sort(descending=True)[1].double()),
        lambda x, out: out.view(2, 2).t().add_(x.view(2, 2)),
        lambda x, out: torch._foreach_add_([out], [x.clone()]),
    ],
)
def test_operations_of_every_kind_are_repeated(body):
    x, out = torch.tensor([1.0, 2.0, 0.0, 5.0]), torch.zeros(4)
    again = taped(lambda: body(x, out))
    x.copy_(torch.tensor([0.5, -3.0, 9.0, 1.5]))
    out.zero_()
    again()
    seen = out.clone()
    out.zero_()
    body(x, out)
    assert torch.equal(seen, out)


def test_values_are_let_go_after_their_last_use():
    """Otherwise a step would hold all its values until its end, and take new memory for each of them."""
    seen = []

    class Watched(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            gc.collect()
            alive.append(sum(one() is not None for one in seen))
            if isinstance(out, torch.Tensor):
                seen.append(weakref.ref(out))
            return out

    x, total = torch.ones(3), torch.zeros(3)

    def body():
        total.add_(((x + 1) * 2 - 3) / 4)

    again, alive = taped(body), []
    with Watched():
        again()
    assert max(alive) <= 2, "one value, and the one that is made from it"


def test_numbers_in_the_code_of_a_step_stay_what_they_are():
    """A tensor that a step makes of numbers is new in every step, so that changing it in place has no effect on the next one."""
    x, out = torch.ones(4), torch.zeros(())

    def body():
        start = torch.tensor(1.0)
        start += x.sum()
        out.copy_(start)

    again = taped(body)
    for _ in range(3):
        again()
        assert float(out) == 5


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lambda x: x.detach().unsqueeze_(0), "in place"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: torch.sparse.mm(torch.eye(2).to_sparse(), x[:, None]), "sparse"),
    ],
)
def test_what_a_tape_cannot_hold_is_refused(body, why):
    x = torch.ones(2)
    assert why in Taped(lambda: body(x)).refused


def test_conjugates_are_other_values():
    x, out = torch.tensor([1.0, 2.0, 3.0]), torch.zeros(2)

    def body():
        transformed = torch.fft.rfft(x)
        out.copy_((transformed * transformed.conj()).real)

    again = taped(body)
    x.copy_(torch.tensor([4.0, 0.0, 1.0]))
    again()
    seen = out.clone()
    body()
    assert torch.equal(seen, out)


@pytest.mark.parametrize("read", [lambda x: x.sum().item(), lambda x: x[x > 1].sum(), lambda x: len(x.unique())])
def test_a_step_that_reads_a_number_is_run_instead_of_repeated(read):
    x, out = torch.tensor([1.0, 2.0]), torch.zeros(())
    recording = Taped(lambda: out.add_(read(x)))
    assert "reads a number" in recording.refused
    recording.replay()  # which was done during the recording
    before = out.clone()
    x.copy_(torch.tensor([5.0, 7.0]))
    recording.replay()
    assert float(out - before) == float(read(x))


@pytest.fixture
def recorded(monkeypatch):
    """Trainings that are made, and a switch that keeps them from being recorded."""
    made, init = [], Training.__init__

    def noted(self, *args, **kwargs):
        init(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Training, "__init__", noted)
    made_with = loop.recorder_for

    def only_if(wanted):
        made.clear()
        monkeypatch.setattr(loop, "recorder_for", made_with if wanted else lambda *where: None)
        return made

    return only_if


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(
    "recipe", [{}, {"label_smoothing": 0.1, "optimizer": "adam", "lr": 0.01}, {"ema": 0.9, "feature_length": 3.0}]
)
def test_heads_are_recorded_and_have_the_figures_of_steps_one_by_one(frozen_spec, recorded, name, recipe):
    spec = frozen_spec(name, epochs=6, batch_size=32, **recipe)
    recorded(False)
    plain = figures_of(run_trial(spec, Runtime(device="cpu")))
    made = recorded(True)
    assert figures_of(run_trial(spec, Runtime(device="cpu"))) == plain
    replayed = [one.replay.recorded for one in made if one.epochs]
    assert replayed and all(replayed)
    assert not any(recording.refused for each in replayed for _, recording in each.values())


def test_views_are_drawn_anew_in_recorded_steps(frozen, fitting_spec, recorded):
    spec = fitting_spec("softmax", model=dataclasses.replace(frozen, views=2).label, pad=0, epochs=6, batch_size=32)
    recorded(False)
    plain = figures_of(run_trial(spec, Runtime(device="cpu")))
    made = recorded(True)
    assert figures_of(run_trial(spec, Runtime(device="cpu"))) == plain
    assert made[0].replay.recorded


def test_a_step_of_somebody_else_that_derives_from_ours_is_not_recorded(load, frozen_spec, recorded):
    load(
        """
from lt_core.parts import part
from lt_core.steps.meta_weights import LearningToReweight, _L2RW

class Counting(_L2RW):
    calls = 0

    def __call__(self, positions):
        self.calls += 1
        return super().__call__(positions) / self.calls

@part("step", "counting_l2rw")
class CountingL2RW(LearningToReweight):
    def bind(self, training):
        return Counting(training, self)
"""
    )
    made = recorded(True)
    run_trial(frozen_spec("l2rw[step=counting_l2rw]", epochs=6, batch_size=32), Runtime(device="cpu"))
    assert made and not any(one.replay.recorded for one in made)


def test_a_layer_of_somebody_else_is_asked_for_its_promise(frozen_spec):
    """A stage may bring a classifier that no head has built."""
    spec = frozen_spec("softmax", epochs=6, batch_size=32)

    class Counting(nn.Linear):
        calls = 0

        def forward(self, features):
            self.calls += 1
            return super().forward(features) * self.calls

    split = draw_images(spec.data, torch.device("cpu"), None, 0, Frozen.of(spec.recipe.model)).split
    given = first_training(spec, split).model
    layer = given.classifier
    given.classifier = Counting(layer.in_features, layer.out_features)
    assert first_training(spec, split).replay
    assert not Training(spec, split, torch.device("cpu"), model=given).replay


def test_a_loss_that_reads_a_number_trains_heads_as_before(load, frozen_spec, recorded):
    load(
        """
from lt_core.parts import part
from lt_core.losses.cross_entropy import Softmax

@part("loss", "by_the_largest")
class ByTheLargest(Softmax):
    captured = True

    def bind(self, counts):
        plain = super().bind(counts)
        return lambda outputs, labels: plain(outputs, labels) / (1 + outputs.max().item())
"""
    )
    spec = frozen_spec("softmax[loss=by_the_largest]", epochs=6, batch_size=32)
    recorded(False)
    plain = figures_of(run_trial(spec, Runtime(device="cpu")))
    recorded(True)
    assert figures_of(run_trial(spec, Runtime(device="cpu"))) == plain
