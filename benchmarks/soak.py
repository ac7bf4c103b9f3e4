"""Random faults in real runs of suites, suites with shared stages, and studies, until the time is up; then a report of the
damage.

    PYTHONPATH=. python benchmarks/soak.py --minutes 30 --seed 0 [--json FILE]

Each round starts a run in an empty folder, causes random faults (`faults.py`) at random times, and repeats the command until the
run ends by itself. Two things must be true: every record that existed before a fault exists after it, byte by byte; and the
figures of every trial are the same as those of this trial in this process, without Ray and without faults.

Faults take about a minute each. If FILE exists, its counts are continued, so that hundreds of faults can be struck in several
sittings; each sitting needs a seed of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from common import parser
from faults import FAULTS, small_disk, workers

from bench.records.provenance import provenance
from bench.records.store import Store
from lt_core.labels import counted
from lt_core.result import OK, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training.runtime import device_name
from lt_core.training.trial import run_trial

DATA = {"dataset": "digits", "imbalance_factor": [10, 50], "n_max": 100, "validation": 20}
RECIPE = {"base": "digits", "epochs": 12}
FILES: dict[str, dict[str, Any]] = {
    "suite": {"about": "a suite", "recipe": RECIPE, "data": DATA, "methods": ["softmax", "focal", "ldam_drw"], "seeds": 2},
    "stages": {"about": "shared stages", "recipe": RECIPE, "data": DATA, "methods": ["crt", "lws", "tau_norm"], "seeds": 2},
    "study": {
        "about": "a study", "recipe": RECIPE, "data": {**DATA, "imbalance_factor": 20}, "trials": 6, "fresh_seeds": 2,
        "studies": {"la": {"methods": "logit_adjusted", "space": {"tau": {"low": 0.5, "high": 2}}}},
    },
}  # fmt: skip
_PATIENCE = 240.0  # a run that prints nothing new for this many seconds counts as hanging


@dataclass
class Count:
    """What is reported at the end."""

    sittings: list[dict[str, Any]] = field(default_factory=list)  # the seed, commit and minutes of each
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    trials: int = 0
    lost: int = 0  # records that disappeared
    rewritten: int = 0  # records that changed
    recomputed: int = 0  # trials that had a record but were to be run again
    differing: int = 0  # trials whose figures differ from those of a run without faults
    wrong_ends: list[str] = field(default_factory=list)  # runs that did not end as the fault says

    @classmethod
    def begun(cls, file: Path | None, seed: int) -> Count:
        """The counts of earlier sittings in ``file``, or none. A seed that was used before would strike the same faults again."""
        if not file or not file.exists():
            return cls()
        there = cls(**json.loads(file.read_text()))
        if seed in (sitting["seed"] for sitting in there.sittings):
            raise SystemExit(f"{file} already has a sitting with seed {seed}: give another --seed")
        there.faults = Counter(there.faults)
        return there

    @property
    def clean(self) -> bool:
        return not (self.lost or self.rewritten or self.recomputed or self.differing or self.wrong_ends)

    def words(self) -> str:
        struck = ", ".join(f"{name} {times}" for name, times in sorted(self.faults.items()))
        told = "".join(f"\n  {end}" for end in self.wrong_ends)
        return (
            f"{counted(len(self.sittings), 'sitting')}, {counted(self.rounds, 'round')}, {counted(self.trials, 'trial')}, "
            f"{counted(self.faults.total(), 'fault')} ({struck})\n"
            f"records lost {self.lost}, rewritten {self.rewritten}, recomputed {self.recomputed}; figures differing "
            f"{self.differing}; ends other than expected {len(self.wrong_ends)}{told}"
        )


class Soak:
    """The rounds of one seed."""

    def __init__(self, folder: Path, seed: int, faults: list[str], count: Count) -> None:
        self.folder, self.chance, self.names, self.count = folder, random.Random(seed), faults, count
        self.straight: dict[str, TrialResult] = {}  # trial → its result without Ray and without faults
        for name, content in FILES.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def round(self, until: float) -> None:
        """Take a run from an empty folder to its end, with a few faults in between."""
        name = self.chance.choice(list(FILES))
        out = self.folder / f"round{self.count.rounds}"
        with small_disk(out) if any(each.startswith("disk") for each in self.names) else contextlib.nullcontext():
            for _ in range(self.chance.randint(2, 5)):
                if time.monotonic() > until or not self._struck(name, out):
                    break
            code, log = self._ended(self._started(name, out))
            if code != 0:
                self.count.wrong_ends.append(f"{name}, undisturbed: {code}, {log[-300:]}")
            self._compare(Store(out / name))
        self.count.rounds += 1

    def _started(self, name: str, out: Path) -> tuple[subprocess.Popen[str], Path]:
        verb = "tune" if name == "study" else "run"
        log = self.folder / "log"
        with open(log, "w") as file:
            command = [sys.executable, "bench.py", verb, str(self.folder / f"{name}.yaml"), "--out", str(out)]
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, text=True, start_new_session=True), log

    def _struck(self, name: str, out: Path) -> bool:
        """Start a run and cause a fault; False if the run ended before it."""
        run = out / name
        there = _records(run)
        process, log = self._started(name, out)
        driver = psutil.Process(process.pid)
        with contextlib.suppress(psutil.Error):  # the run may end meanwhile
            while process.poll() is None and not workers(driver):
                time.sleep(0.1)
        time.sleep(self.chance.uniform(0, 8))
        chosen = self.chance.choice(self.names)
        before, heal = _records(run), None
        try:
            if process.poll() is not None:
                return False
            heal = FAULTS[chosen].strike(driver, run)
        except (psutil.Error, StopIteration, IndexError):  # the target does not exist, such as a worker between two trials
            self._ended((process, log))
            return True
        else:
            self.count.faults[chosen] += 1
            code, said = self._ended((process, log))
            if code not in (0, FAULTS[chosen].code) or "Traceback" in said:
                self.count.wrong_ends.append(f"{name}, {chosen}: {code}, {said[-300:]}")
        finally:
            if heal:
                heal()
        after = _records(run)
        self.count.lost += len(before.keys() - after.keys())
        self.count.rewritten += sum(before[key] != after[key] for key in before.keys() & after.keys())
        if name != "study" and "at a time" in said:
            trials = len(FILES[name]["methods"]) * FILES[name]["seeds"] * len(DATA["imbalance_factor"])  # type: ignore[arg-type]
            left = int(said.split(f"{name}: ", 1)[1].split()[0])
            self.count.recomputed += max(0, left - (trials - len(there)))
        print(f"{chosen}: {name} ended with {code}, {len(after)} records", flush=True)
        return True

    def _ended(self, started: tuple[subprocess.Popen[str], Path]) -> tuple[int, str]:
        process, log = started
        written, last = -1, time.monotonic()
        while (code := process.poll()) is None and time.monotonic() - last < _PATIENCE:
            if (now := log.stat().st_size) != written:
                written, last = now, time.monotonic()
            time.sleep(0.1)
        if code is None:
            process.kill()
            code = process.wait()
            self.count.wrong_ends.append(f"a run said nothing new for {_PATIENCE:g} s: {log.read_text()[-300:]}")
        return code, log.read_text()

    def _compare(self, store: Store) -> None:
        for result in store.results():
            self.count.trials += 1
            expected = self._expected(result.spec)
            if result.status != OK or _figures(result) != _figures(expected):
                self.count.differing += 1
                print(f"DIFFERS: {result.spec.method.label} of {store.path}: {result.status} {result.cause}", flush=True)

    def _expected(self, spec: TrialSpec) -> TrialResult:
        if spec.trial_id not in self.straight:
            self.straight[spec.trial_id] = run_trial(spec)
        return self.straight[spec.trial_id]


def _figures(result: TrialResult) -> str:
    """The figures as in a record, which has no NaN, so that equal figures compare equal."""
    record = result.to_record()
    return json.dumps([record[name] for name in ("confusion", "validation_confusion", "calibration", "curve")])


def _records(run: Path) -> dict[str, bytes]:
    """The records of finished trials. A trial that was lost with its worker is run again, so its record may change."""
    there = {path.name: path.read_bytes() for path in (run / "records").glob("[!.]*.json")}
    return {name: content for name, content in there.items() if json.loads(content)["status"] == OK}


@contextlib.contextmanager
def _place() -> Iterator[Path]:
    """A folder with a short name, because it holds sockets; Ray's sessions and scratch folders go there too."""
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder
        yield Path(folder)


def _can_mount(folder: Path) -> bool:
    try:
        with small_disk(folder / "probe"):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=30, help="time limit (default 30)")
    arguments.add_argument("--seed", type=int, default=0, help="seed for choosing runs and faults (default 0)")
    given = arguments.parse_args()
    begun = time.monotonic()
    until = begun + 60 * given.minutes
    count = Count.begun(given.json, given.seed)
    about = {"minutes": given.minutes, "cpu": device_name("cpu"), "commit": provenance()["git_commit"]}
    count.sittings.append({"seed": given.seed, **about})
    with _place() as folder:
        faults = list(FAULTS)
        if not _can_mount(folder):
            faults = [name for name in faults if not name.startswith("disk")]
            print("file systems cannot be mounted here, so disks are neither filled nor made read-only")
        soak = Soak(folder, given.seed, faults, count)
        while time.monotonic() < until:
            soak.round(until)
            count.sittings[-1]["minutes"] = round((time.monotonic() - begun) / 60, 1)
            if given.json:  # after each round, so that a sitting that is cut short counts too
                given.json.write_text(json.dumps(vars(soak.count), indent=1))
    print(soak.count.words())
    raise SystemExit(not soak.count.clean)


if __name__ == "__main__":
    main()
