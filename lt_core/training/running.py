"""A trial on its way, from its images to its result: stage by stage, with checkpoints in between."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lt_core.data.loader import Split
from lt_core.data.trial_images import draw_images
from lt_core.frozen.label import Frozen
from lt_core.generation.scores import Judge
from lt_core.interruption import asked_before_steps, before_step
from lt_core.protocols import Trainable, TrainableClassifier
from lt_core.result import DIVERGED, TIMEOUT, TrialResult
from lt_core.spec import TrialSpec
from lt_core.stages.base import Stage, StageContext, extra_images, stages_of
from lt_core.stages.checking import check_divisible, check_trial
from lt_core.training import checkpoint
from lt_core.training.beside import left_beside
from lt_core.training.book import Book, Clock
from lt_core.training.diagnosis import diagnose
from lt_core.training.embedding import embedding
from lt_core.training.evaluate import Evaluation, curve_row, evaluate
from lt_core.training.judging import judge
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime, autocast_dtype, describe, kind_of_device
from lt_core.training.team import current


@dataclass(frozen=True)
class Progress:
    """How far a trial is."""

    epoch: int  # finished epochs
    epochs: int  # of the whole trial
    point: Mapping[str, float] | None = field(default=None, compare=False)  # of the learning curve, if one was just measured


class Stopped(Exception):
    """A trial ends early, for the given reason."""

    def __init__(self, status: str, cause: str) -> None:
        super().__init__(cause)
        self.status = status


def stage_context(spec: TrialSpec, split: Split, device: torch.device) -> StageContext:
    """What the stages of ``spec`` are made from on these images."""
    return StageContext(spec, split, device, autocast_dtype(spec.recipe.precision, device), Training)


class RunningTrial:
    """A trial on its way: it runs its trainings epoch by epoch, evaluates them and records the results.

    Raises:
        UserError: the trial cannot be run as its spec says.
    """

    def __init__(self, spec: TrialSpec, runtime: Runtime, clock: Clock) -> None:
        self.spec, self.runtime, self.clock = spec, runtime, clock
        check_trial(spec)
        runtime.prepare()
        device = runtime.torch_device()
        if runtime.ranks > 1:
            check_divisible(spec, device.type)
        self.images = draw_images(spec.data, device, runtime.data_dir, extra_images(spec), Frozen.of(spec.recipe.model))
        self.split = self.images.split  # the only images that training is given
        self.stages = stages_of(spec)
        self.context = stage_context(spec, self.split, device)
        first = self.stages.stage_one_of(spec)
        self.epochs = self.stages.epochs(spec) + (first.recipe.epochs if first else 0)
        self.kind = kind_of_device(spec.recipe.precision, device)
        self.path = Path(runtime.checkpoint) if runtime.checkpoint else None
        self.book = Book(self.clock.seconds)
        self.under_way: dict[str, Any] | None = None  # state of the training during which the checkpoint was written
        stored = checkpoint.load(self.path, self._origin(spec.trial_id)) if self.path else None
        if stored:
            self.under_way = stored["training"]
            self.book = Book(**stored["book"])
            self.clock.seconds = self.book.seconds
            self.book.resumed_at.append(self.book.epochs + stored["training"]["epoch"])
        self.team = current()
        self.writes = self.team is None or self.team.rank == 0
        self.saved = time.perf_counter()
        self.test: Evaluation | None = None
        self.validation: Evaluation | None = None

    def steps(self) -> Iterator[Progress | TrialResult]:
        """A `Progress` after each epoch, finally the `TrialResult`.

        Raises:
            Stopped: the trial ends early.
        """
        stage: Stage | None = None
        for number, stage in enumerate(self.stages.trainings(self.context)):
            self.clock.add("setup")
            if number < len(self.book.finished):
                stage.training.restore(self.book.finished[number])
                continue
            shared_as = self.spec if self.runtime.is_stage_one else stage.shared_as
            if shared_as and self.runtime.stages:
                name = f"{shared_as.trial_id}.{self.kind}"  # each kind of device has its own copy of a stage
                # If several processes train together, only one locks the file. Others would wait for it, and it for them.
                with checkpoint.held(Path(self.runtime.stages), name, self.writes) as file:
                    self.clock.skip()  # waiting for another trial to train it
                    yield from self._shared(stage, shared_as.trial_id, file)
            else:
                yield from self._train(stage)
            self.book.finished.append(copy.deepcopy(stage.training.state()))  # a later stage may train the same weights
            self.book.epochs += stage.training.epochs
            if self.images.hidden is not None:
                self.book.rounds.append(diagnose(stage.classifier, self.split, self.images.hidden, len(self.book.rounds)))
                self.clock.add("evaluate")
        assert stage is not None
        yield self._result(stage)

    def _shared(self, stage: Stage, trial_id: str, file: Path) -> Iterator[Progress]:
        """Take the training from ``file``, or train it and leave it there. The book then reads as if trained here."""
        stored = checkpoint.load(file, self._origin(trial_id)) if self.writes else None
        stored = self.team.agree(stored) if self.team else stored
        if stored is None:
            yield from self._train(stage)
            if not self.writes:
                return
            done = {"curve": self.book.curve, "images_seen": self.book.images_seen, "seconds": self.clock.seconds}
            checkpoint.save(file, self._origin(trial_id), {"training": stage.training.state(), **done})
            return
        stage.training.restore(stored["training"])
        self.under_way = None
        self.book.curve, self.book.images_seen = stored["curve"], stored["images_seen"]
        for activity in ("train", "evaluate"):
            self.clock.seconds[activity] = stored["seconds"][activity]

    def _train(self, stage: Stage) -> Iterator[Progress]:
        training = stage.training
        if self.under_way:
            training.restore(self.under_way)
            self.under_way = None
        if not training.epochs and stage.evaluate:
            self._evaluate(stage.classifier, math.nan)
        in_time = partial(self._in_time, training, self.runtime.time_limit) if self.runtime.time_limit else None
        while training.epoch < training.epochs:
            with asked_before_steps(in_time):
                before_step()  # in case a training from a plug-in file does not ask
                loss = training.run_epoch()
            self.book.images_seen += training.images_seen
            self.clock.add("train")
            last = training.epoch == training.epochs
            if not math.isfinite(loss):
                raise Stopped(DIVERGED, f"training loss became {loss} in epoch {self._epoch(training)} of {self.epochs}")
            measured = stage.evaluate and (last or training.epoch % stage.classifier.recipe.curve_step == 0)
            if measured:
                self._evaluate(stage.classifier, loss)
            self._save(training, last)
            yield Progress(self._epoch(training), self.epochs, self.book.curve[-1] if measured else None)
            self.clock.skip()

    def _in_time(self, training: Trainable, limit: float) -> None:
        """Stop if the time is up. Asked before each step, so that what follows the last one is always finished and recorded."""
        if self.clock.total > limit:
            self.clock.add("train")
            raise Stopped(TIMEOUT, f"exceeded the limit of {limit:g} s in epoch {self._epoch(training) + 1} of {self.epochs}")

    def _epoch(self, training: Trainable) -> int:
        return self.book.epochs + training.epoch

    def _evaluate(self, training: TrainableClassifier, loss: float) -> None:
        keep = bool(self.runtime.predictions)
        self.test = evaluate(training, training.split.test, keep)
        if not self.test.finite:  # the step after the last loss can still make the weights explode
            raise Stopped(DIVERGED, f"predictions are not finite after epoch {self._epoch(training)} of {self.epochs}")
        held_out = training.split.validation
        self.validation = evaluate(training, held_out, keep) if len(held_out) else None
        self.book.curve.append({**curve_row(self._epoch(training), loss, self.test, self.validation), **training.reported})
        self.clock.add("evaluate")

    def _save(self, training: Trainable, last: bool) -> None:
        if self.path and self.writes and not last and time.perf_counter() - self.saved > self.runtime.checkpoint_every:
            state = {"training": training.state(), "book": vars(self.book)}
            checkpoint.save(self.path, self._origin(self.spec.trial_id), state)
            self.saved = time.perf_counter()

    def _origin(self, trial_id: str) -> checkpoint.Origin:
        return checkpoint.Origin(trial_id, self.kind, self.images.version)

    def _result(self, stage: Stage) -> TrialResult:
        training = stage.classifier
        if self.test is None:  # the last training was restored, from this trial's checkpoint or from another trial
            self._evaluate(training, math.nan)
            self.book.curve.pop()
        assert self.test is not None
        confusion, class_counts = self.test.recorded()
        not_repeatable = self.stages.not_repeatable(self.spec) if self.context.device.type == "cuda" else ""
        validation_confusion, validation_class_counts = self.validation.recorded() if self.validation else ([], {})
        return TrialResult(
            self.spec,
            train_counts=[int(n) for n in self.split.counts.tolist()],
            confusion=confusion,
            class_counts=class_counts,
            calibration=self.test.calibration.tolist(),
            class_calibration=self.test.class_calibration(),
            validation_confusion=validation_confusion,
            validation_class_counts=validation_class_counts,
            curve=self.book.curve,
            generations=self.book.rounds,
            embedding=embedding(training, training.split.test) if self.runtime.embed else [],
            pictures=stage.pictures(self._judge) if self.runtime.embed and stage.pictures else [],
            seconds=self.clock.seconds,
            images_per_second=self.book.images_seen / self.clock.seconds["train"],
            environment={
                **describe(self.runtime, training.dtype),
                **({"not_repeatable": not_repeatable} if not_repeatable else {}),
                "data_fingerprint": self.images.fingerprint,
                "subset_fingerprint": self.images.subset_fingerprint,
                **({"features_fingerprint": self.images.features} if self.images.features else {}),
                "resumed_at": self.book.resumed_at,
                **({"chosen": stage.chosen} if stage.chosen else {}),
                **left_beside(self.spec, self.runtime, stage, self.test, self.validation),
            },
        )

    def _judge(self) -> Judge:
        return judge(self.spec, self.runtime, self.kind, self.context.make_training, self.context.device)
