"""Steps that are recorded and replayed, on a tape instead of a GPU. The tape itself is tested in test_tape.py.

lt_core.testing.recording checks for every method that replayed trainings are the same as those without recording.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from lt_core.testing.tape import recording_on_cpu
from lt_core.testing.trials import first_training, fitting_spec, split_of, tiny_spec, trained, weights_of
from lt_core.training.replay import EAGER_STEPS

COUNTS = (40, 20, 10)


def ended(spec, eager_steps):
    with recording_on_cpu(eager_steps):
        training, losses = trained(spec, split_of(COUNTS))
    return training, losses


@pytest.mark.parametrize(
    ("method", "kinds"),
    [("softmax", 2), ("ldam_drw", 4), ("tail_augmentation", 2), ("range_loss", None), ("mixup", 0), ("bbn", None)],
)
def test_what_is_recorded(method, kinds):
    """Steps are recorded once per batch size and phase, if every part of the step allows it; None: recording is not tried."""
    training, _ = ended(fitting_spec(method, batch_size=16, epochs=24), EAGER_STEPS)
    assert (training.replay and len(training.replay.recorded)) == kinds


def test_a_network_is_not_recorded_on_a_cpu():
    training, _ = trained(tiny_spec(), split_of(COUNTS))
    assert training.replay is None
    assert isinstance(training.optimizer.param_groups[0]["lr"], float)


@pytest.mark.parametrize(("promise", "recorded"), [("captured = True", True), ("captured = False", False), ("pass", False)])
def test_a_part_of_somebody_else_is_recorded_only_if_it_promises_itself(load, promise, recorded):
    """What this package says about its own losses does not hold for a loss that derives from one of them."""
    load(
        f"""
from lt_core.parts import part
from lt_core.losses.cross_entropy import Softmax

@part("loss", "theirs")
class Theirs(Softmax):
    {promise}
"""
    )
    training, _ = ended(tiny_spec("softmax[loss=theirs]", batch_size=16), EAGER_STEPS)
    assert bool(training.replay) == recorded


def test_a_broken_promise_is_caught_by_the_tape(load):
    load(
        """
from lt_core.parts import part
from lt_core.losses.cross_entropy import Softmax

@part("loss", "reads_a_number")
class ReadsANumber(Softmax):
    captured = True

    def bind(self, counts):
        plain = super().bind(counts)
        return lambda outputs, labels: plain(outputs, labels) * (1 if outputs.max().item() > 0 else 2)
"""
    )
    with pytest.raises(RuntimeError, match="reads a number from the device"):
        ended(tiny_spec("softmax[loss=reads_a_number]", batch_size=16), EAGER_STEPS)


def test_a_training_that_goes_on_from_a_stored_state_records_anew():
    spec = tiny_spec(batch_size=16, epochs=8)
    with recording_on_cpu():
        whole = first_training(spec, split_of(COUNTS))
        for _ in range(4):
            whole.run_epoch()
        state = whole.state()
        again = first_training(spec, split_of(COUNTS))
        for _ in range(2):
            again.run_epoch()  # its recording uses momenta that restoring replaces
        again.restore(torch.load(_stored(state), weights_only=True))
        losses = [[training.run_epoch() for _ in range(4)] for training in (whole, again)]
    assert losses[0] == losses[1]
    assert torch.equal(weights_of(whole.model), weights_of(again.model))


@pytest.mark.filterwarnings("error")  # torch warns of an Adam that may be recorded and is not
def test_adam_is_recorded_with_the_weights_of_each_operation():
    """On the tape as on a card, torch refuses to record an Adam that was not told so."""
    spec = tiny_spec(batch_size=16, epochs=8, optimizer="adam", lr=1e-3)
    (plain, its), (recorded, theirs) = (ended(spec, eager_steps) for eager_steps in (10**9, EAGER_STEPS))
    assert len(recorded.replay.recorded) == 2
    assert its == theirs and torch.equal(weights_of(plain.model), weights_of(recorded.model))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize(("one", "other"), [(True, True), (True, False), (False, True)])
def test_a_stored_optimizer_goes_on_with_and_without_recording(optimizer, one, other):
    """Checkpoints from before Adam was recorded, and those of a machine that does not record, are continued too."""
    spec = tiny_spec(batch_size=16, epochs=8, optimizer=optimizer, lr=1e-3, milestones=(), drops=())

    def training(recorded):
        with recording_on_cpu() if recorded else nullcontext():
            return first_training(spec, split_of(COUNTS))

    whole, again = training(one), training(other)
    for _ in range(4):
        whole.run_epoch()
    again.restore(torch.load(_stored(whole.state()), weights_only=True))
    losses = [[one.run_epoch() for _ in range(4)] for one in (whole, again)]
    assert losses[0] == losses[1] and torch.equal(weights_of(whole.model), weights_of(again.model))
    assert all(group.get("capturable", True) for group in again.optimizer.param_groups) or not other


def _stored(state):
    import io

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file
