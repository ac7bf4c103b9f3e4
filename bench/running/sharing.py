"""How many trials should share one GPU. This is measured, because neither the card's memory nor its model determines it.

A small network leaves most of a card idle, but processes run on it side by side only under NVIDIA's MPS; without MPS they take
turns, and several are no faster than one (docs/gpu.md). Therefore the heaviest trial's network is trained on noise by one, two,
four and eight processes at once, as long as more processes train clearly more images per second and fit into the card's memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from select import select
from typing import TYPE_CHECKING, Any

from bench.running.backends.ray_tune import RayTune
from bench.running.execution import AUTO, Execution
from lt_core.errors import UserError

if TYPE_CHECKING:
    from lt_core.spec import TrialSpec

NUMBERS = (1, 2, 4, 8)
GAIN = 1.05  # factor in images per second that more processes must gain to be worth their memory
SECONDS = 2.0  # seconds of training that are measured
MEMORY = 0.9  # share of a card's memory that trials may take
_STEPS, _WARM = 20, 4  # steps per epoch, and epochs before the measurement, in which steps are recorded
_PATIENCE = 180.0  # seconds that a process may take to answer


@dataclass(frozen=True)
class Sharing:
    """A measurement. ``rates``: number of processes → images per second of all of them together."""

    rates: Mapping[int, float]
    network: str
    seconds: float  # duration of the measurement

    @property
    def trials(self) -> int:
        """How many trials should share a GPU: the smallest number that no other number clearly beats."""
        return next(n for n, rate in sorted(self.rates.items()) if GAIN * rate >= max(self.rates.values()))

    @property
    def gpus(self) -> float:
        """GPUs per trial."""
        return 1 / self.trials

    def __str__(self) -> str:
        told = ", ".join(f"{rate:,.0f} with {n}" for n, rate in sorted(self.rates.items()))
        share = "each trial gets a whole GPU" if self.trials == 1 else f"{self.trials} trials share a GPU"
        return f"{share}: {self.network} trains {told} at once (images/s, measured in {self.seconds:.0f} s)"


def settled(execution: Execution, specs: Sequence[TrialSpec], trials: float, say: Callable[[str], None] = print) -> Execution:
    """``execution`` with a number instead of ``--gpus-per-trial auto``.

    Args:
        specs: trials of every kind that is to run.
        trials: how many trials are to run.

    Raises:
        UserError: no cluster answers, or the GPU cannot train even a single trial.
    """
    if execution.gpus_per_trial != AUTO:
        return execution
    plain = replace(execution, gpus_per_trial=None)
    backend = plain.scheduler()
    if plain.gpus == 0 or not isinstance(backend, RayTune) or trials <= backend.gpus_there():  # each trial gets a card to itself
        return plain
    found = backend.on_a_gpu(measured, _heaviest(specs))
    if found is None:
        return plain
    say(str(found))
    return replace(execution, gpus_per_trial=found.gpus)


def measured_here(specs: Sequence[TrialSpec]) -> Sharing:
    """How many of ``specs`` should share this machine's first GPU, as `settled` would find if the run used this machine.

    Raises:
        UserError: there is no GPU here, or it cannot train even a single trial.
    """
    import torch

    if not torch.cuda.device_count():
        raise UserError("--measure-gpu needs a GPU that torch can use, but this machine has none: omit it")
    return measured(_heaviest(specs))


def _heaviest(specs: Sequence[TrialSpec]) -> TrialSpec:
    """The trial with the most expensive steps; if it fits, so do the others."""
    from bench.suites.calibration import operations

    kinds = {(spec.recipe.model, spec.data.dataset, spec.recipe.batch_size): spec for spec in specs}
    return max(kinds.values(), key=lambda spec: operations(spec) * spec.recipe.batch_size)


def measured(spec: TrialSpec, numbers: Sequence[int] = NUMBERS, seconds: float = SECONDS) -> Sharing:
    """Train the network of ``spec`` with each of the ``numbers`` of processes, on this machine's first GPU, or on its CPU if it
    has none.

    Raises:
        UserError: not even a single process can train it.
    """
    start, rates, taken = time.monotonic(), dict[int, float](), list[_Process]()
    with ExitStack() as stack:
        for number in numbers:
            if taken and number * taken[0].memory > MEMORY:
                break
            try:
                while len(taken) < number:
                    taken.append(_Process(spec))
                    stack.callback(taken[-1].end)
                for process in taken:
                    process.get_ready()
                for process in taken:
                    process.train(seconds)
                rates[number] = sum(process.rate() for process in taken)
            except _Failed as failed:  # for example for lack of memory
                if not rates:
                    raise UserError(
                        f"--gpus-per-trial auto: {spec.recipe.model} cannot be trained on one GPU even when it has the GPU to "
                        f"itself ({failed}): give a number instead of auto to see the error of a single trial"
                    ) from None
                break
            if len(rates) > 1 and rates[number] < GAIN * max(rate for n, rate in rates.items() if n != number):
                break
    return Sharing(rates, spec.recipe.model, time.monotonic() - start)


class _Failed(Exception):
    """A process of the measurement died or does not answer."""


class _Process:
    """A process that trains on request, at the same time as others."""

    memory = 0.0  # share of the card's memory that it takes, once it is ready

    def __init__(self, spec: TrialSpec) -> None:
        from lt_core.training.carried import carried, environment

        self.messages = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read once the process has died, closed by `end`
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.running.sharing"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.messages, env=environment(), text=True,
        )  # fmt: skip
        self.ready = False
        self._tell(carried(spec))

    def get_ready(self) -> None:
        if not self.ready:
            self.memory, self.ready = self._answer(), True

    def train(self, seconds: float) -> None:
        self._tell(seconds)

    def rate(self) -> float:
        """The rate of the requested training, in images per second."""
        return self._answer()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.messages.close()

    def _tell(self, value: Any) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it died, and `_answer` will notice
            self.process.stdin.write(json.dumps(value) + "\n")
            self.process.stdin.flush()

    def _answer(self) -> float:
        assert self.process.stdout
        if not select([self.process.stdout], [], [], _PATIENCE)[0]:
            raise _Failed("no answer")
        if not (line := self.process.stdout.readline()):
            code = self.process.wait()
            self.messages.seek(0)
            last = next((words for line in reversed(self.messages.readlines()) if (words := line.strip())), "no message")
            raise _Failed(f"a process ended with code {code}: {last}")
        return float(json.loads(line))


def main() -> None:
    """Run a process of the measurement. It reads a trial and prints its share of the card's memory; then, until its input ends,
    it reads a number of seconds, trains for that long, and prints images per second.
    """
    import torch

    from bench.suites.calibration import training_on_noise
    from lt_core.training.carried import received
    from lt_core.training.runtime import Runtime

    spec, runtime = received(json.loads(sys.stdin.readline())), Runtime()
    runtime.prepare()
    device = runtime.torch_device()
    training = training_on_noise(spec, device, spec.recipe.batch_size, _STEPS)
    for _ in range(_WARM):
        training.run_epoch()
    share = 0.0
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        share = 1 - free / total  # including what other programs take
    print(share, flush=True)
    for line in sys.stdin:
        start, images = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            training.run_epoch()
            images += training.images_seen
        print(images / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
