"""What must hold for everything that is trained in steps that a GPU may record and replay."""

from __future__ import annotations

import torch

from lt_core.testing.check import TRAINING, check, expect
from lt_core.testing.tape import recording_on_cpu
from lt_core.testing.trials import fitting_spec, split_of, trained, weights_of
from lt_core.training.replay import EAGER_STEPS

_COUNTS = (40, 20, 10)
_NEVER = 10**9


@check(TRAINING)
def its_recorded_step_is_its_step(label: str) -> None:
    """Replayed steps lead to the same weights as steps done one by one, to the bit."""
    spec = fitting_spec(label, batch_size=16, warmup_by="step")
    ends = []
    for eager_steps in (_NEVER, EAGER_STEPS):
        with recording_on_cpu(eager_steps):
            training, losses = trained(spec, split_of(_COUNTS))
        ends.append((weights_of(training.evaluated), losses))
    (one, its), (other, theirs) = ends
    expect(
        its == theirs and torch.equal(one, other),
        "its step decides something on the host, so a recorded step differs: set captured = False on the part that does",
    )
