"""A progress line for a run, which is redrawn on a terminal and otherwise written every 30 seconds."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from typing import TextIO

from bench.records import HEADLINE
from bench.records.columns import describe_trial
from bench.records.foreign import printed
from bench.suites.cost import works
from lt_core.labels import counted, duration
from lt_core.metrics import METRICS
from lt_core.result import OK, PRUNED, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training import Progress

_SHOWN = METRICS[HEADLINE]
_LONG = 10.0  # seconds after which a running trial shows its epoch


class ProgressLine:
    """Counts trials and shows how many are done, running and failed, the rate, the time left, and the best result (or the last
    one, if there are several data columns).
    """

    def __init__(
        self, specs: list[TrialSpec], already: int, workers: int, stream: TextIO | None = None, total: int | None = None
    ) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.work = {spec.trial_id: images for spec, images in zip(specs, works(specs), strict=True)}
        self.data = {spec.data for spec in specs}
        self.total, self.already, self.workers = total or len(specs), already, workers  # a study only knows the number
        self.finished = self.failed = 0
        self.worked = 0.0
        self.running: dict[str, tuple[float, Progress, TrialSpec]] = {}
        self.best: tuple[float, str] | None = None
        self.started = self.drawn = time.monotonic()

    def expect(self, spec: TrialSpec) -> None:
        """Add ``spec`` to the trials that make up the total."""
        self.work.setdefault(spec.trial_id, *works([spec]))
        self.data.add(spec.data)

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        since = self.running.get(spec.trial_id, (time.monotonic(), progress, spec))[0]
        self.running[spec.trial_id] = (since, progress, spec)

    def result(self, result: TrialResult) -> None:
        self.running.pop(result.trial_id, None)
        self.finished += 1
        self.worked += self.work.get(result.trial_id, 0.0)
        if result.status == PRUNED:
            return
        if result.status != OK:
            self.failed += 1
            self.say(printed(f"{result.status}: {describe_trial(result.spec, self.data)}: {result.cause}"))
            return
        # On the validation split if there is one: "best" must not lead anybody to choose by the test set.
        score = _SHOWN(result.outcome(validation=result.validated))
        columns = {replace(data, subset_seed=0) for data in self.data}
        if self.best is None or _SHOWN.better(score, self.best[0]) or len(columns) > 1:
            # Figures on different data cannot be compared, so the last one is shown instead of the best.
            word, part = "best" if len(columns) == 1 else "last", "validation" if result.validated else "test"
            shown = f"{word} {_SHOWN.words(score)} {_SHOWN.quantity}, {part}: {describe_trial(result.spec, self.data)}"
            self.best = (score, shown)

    def tick(self) -> None:
        if time.monotonic() - self.drawn > (0.2 if self.live else 30):
            self.draw()

    def draw(self) -> None:
        self.drawn = time.monotonic()
        text = self.text()
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\x1b[K" + (text if len(text) <= width else text[: width - 1] + "…"))
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def say(self, line: str) -> None:
        """Print a line that is not overwritten."""
        self.stream.write(("\r\x1b[K" if self.live else "") + line + "\n")
        self.stream.flush()

    def close(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def text(self) -> str:
        seconds = time.monotonic() - self.started
        busy = min(self.workers, self.total - self.finished)
        parts = [f"{self.already + self.finished - self.failed}/{self.already + self.total} done", f"{busy} running"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.finished:
            rate = 60 * self.finished / seconds
            parts.append(f"{rate:.0f}/min" if rate >= 10 else f"{rate:.1f}/min")
        done = self.worked + sum(self.work.get(i, 0.0) * p.epoch / p.epochs for i, (_, p, _) in self.running.items())
        if done:
            whole = sum(self.work.values()) / len(self.work) * self.total
            left = seconds * (whole - done) / done
            if left >= 1:  # a trial that is trained is still evaluated and written, for longer than "under a second"
                parts.append(f"{duration(left)} left")
        long = [(p, s) for since, p, s in self.running.values() if time.monotonic() - since > _LONG]
        parts += [f"{s.method.label} seed {s.seed} epoch {p.epoch}/{p.epochs}" for p, s in long[:2]]
        if self.best:
            parts.append(self.best[1])
        return " · ".join(parts)


def summary(seconds: float, finished: int, failed: int) -> str:
    """The closing line of a run."""
    rate = f", {60 * finished / seconds:.0f} a minute" if finished > seconds / 60 else ""
    return f"{counted(finished, 'trial')} in {duration(seconds)}{rate}" + (f"; {failed} failed" if failed else "")
