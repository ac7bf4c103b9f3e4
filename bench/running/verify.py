"""Run some trials of a run again and compare every figure, as an outsider would."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from bench.records.columns import describe_trial
from bench.records.store import Store
from bench.records.stored import FEATURES, KIND, Stored, stored_in
from bench.running.execution import check_device
from lt_core import plugins
from lt_core.errors import UserError
from lt_core.result import OK, TrialResult
from lt_core.training.runtime import Runtime, describe
from lt_core.training.trial import run_trial

SAME, REPLICATE, OTHER = "same", "replicate", "OTHER"
_IMAGES = ("data_fingerprint", "subset_fingerprint")
_NEWER = ("processor", FEATURES)  # older records lack them


@dataclass(frozen=True)
class Verdict:
    """One trial that was run again. ``kind`` says whether the figures are the same (SAME), different on another kind of device or
    because an operation does not repeat itself (REPLICATE), or different although they should be the same (OTHER).
    """

    trial_id: str
    method: str
    label: str
    kind: str
    words: str
    elsewhere: bool = False  # whether it was run again on another kind of device
    difference: float = 0.0  # accuracy here − stored, points

    @property
    def good(self) -> bool:
        return self.kind != OTHER


def finished(store: Store) -> list[Stored]:
    """The finished trials of ``store``, in order of trial ID.

    Raises:
        UserError: there are none, or see `stored_in`.
    """
    done = [trial for trial in stored_in(store) if trial.status == OK]
    if not done:
        raise UserError(f"{store.path} has no finished trial to verify: run it first")
    return done


def verify(done: Sequence[Stored], sample: int, runtime: Runtime, seed: int = 0) -> Iterator[Verdict]:
    """Run ``sample`` of the trials ``done`` again on this machine; ``seed`` chooses them.

    On the same kind of device, figures must agree to the bit, unless the record names an operation that does not repeat itself.
    On another kind they are a replicate, and the difference is reported. If a run consists of Parquet files alone, recall and
    precision of each class are compared instead of confusion matrices.

    Raises:
        UserError: a chosen trial needs a plug-in file that is not loaded.
    """
    drawn = random.Random(seed).sample(done, min(sample, len(done)))
    for stored in drawn:
        _needs_plugins(stored)
    for stored in drawn:
        yield _verdict(stored, run_trial(stored.spec, runtime))


def _needs_plugins(stored: Stored) -> None:
    """Raise an error for a trial that needs a plug-in file that is not loaded here."""
    here = {plugin.name: plugin.version for plugin in plugins.loaded()}
    missing = plugins.missing(stored.spec.versions)
    for made_by in stored.environment.get("plugins", ()):
        if any(made_by["sha256"].startswith(version) for version in missing):
            file, sha256 = made_by["file"], made_by["sha256"][:8]
            other = f", but another file of that name is loaded ({here[file]}…)" if file in here else ""
            raise UserError(
                f"trial {stored.trial_id} ({stored.spec.method.label}) was run with the plug-in file {file} of SHA-256 "
                f"{sha256}…{other}: pass that file with --plugin"
            )


def _verdict(stored: Stored, result: TrialResult) -> Verdict:
    spec, again = stored.spec, stored.alike(result)
    names = (stored.trial_id, spec.method.label, describe_trial(spec))
    device, images = _changed(stored, again, KIND), _changed(stored, again, _IMAGES)
    if again.status != OK:
        return Verdict(*names, OTHER, f"{again.status}: {result.cause}")
    if again.figures == stored.figures:
        return Verdict(*names, SAME, f"identical {stored.compared}" + (f", though {device}" if device else ""), bool(device))
    difference = 100 * (again.accuracy - stored.accuracy)
    words = f"accuracy {difference:+.2f} points; "
    unrecorded = "processor" not in stored.environment and "processor" in again.environment
    varies = again.environment.get("not_repeatable") or stored.environment.get("not_repeatable")
    if varies and not (images or device):
        return Verdict(*names, REPLICATE, f"{words}{varies} gives other bits each time")
    if images or not (device or unrecorded):
        return Verdict(
            *names,
            OTHER,
            words
            + (f"different images: {images}" if images else "on the same kind of device, where figures should be identical"),
        )
    which = f"the trial is older than the field that says which {stored.environment.get('device_name')} it was"
    return Verdict(*names, REPLICATE, words + (device or which), True, difference)


def _changed(stored: Stored, again: Stored, keys: Sequence[str]) -> str:
    then, now = stored.environment, again.environment
    changed = [key for key in keys if then.get(key) != now.get(key) and (key not in _NEWER or key in then)]
    return "; ".join(f"{key} {then.get(key)} then, {now.get(key)} now" for key in changed)


def spread(verdicts: Sequence[Verdict]) -> list[str]:
    """Lines with the mean and standard deviation of the differences in accuracy, for trials that were run again on another kind
    of device: overall and, if there are several methods, by method. Empty if there are no such trials.
    """
    replicates = [verdict for verdict in verdicts if verdict.elsewhere]
    if not replicates:
        return []
    methods = dict.fromkeys(verdict.method for verdict in replicates)
    groups = {"all": replicates} | ({m: [v for v in replicates if v.method == m] for m in methods} if len(methods) > 1 else {})
    lines = ["replicates on another kind of device: accuracy here − stored accuracy in points, mean ± standard deviation (n − 1)"]
    for name, group in groups.items():
        differences = [verdict.difference for verdict in group]
        deviation = f" ± {stdev(differences):.2f}" if len(group) > 1 else ""
        lines.append(f"  {name}: {mean(differences):+.2f}{deviation} (n = {len(group)})")
    return lines


def runtime_like(trial: Stored, data: str | None, device: str) -> Runtime:
    """The runtime of ``trial``, on this machine.

    Raises:
        UserError: there is no such device, or this machine lacks it.
    """
    check_device(device)
    made = Runtime(data_dir=data, device=device, threads=int(trial.environment.get("threads", 1)))
    describe(made, None)  # raises an error if the device is missing
    return made


def machine(runtime: Runtime) -> dict[str, object]:
    """What the figures of a trial may depend on besides its ID, of this machine. Trials have precisions of their own."""
    described = describe(runtime, None)
    return {key: described[key] for key in KIND if key in described and key != "precision"}
