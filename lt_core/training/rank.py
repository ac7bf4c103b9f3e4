"""A process that trains a trial together with the process that started it, which sends instructions to its standard input."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO

from lt_core.result import OK, TrialResult
from lt_core.training.carried import received
from lt_core.training.ranks import together
from lt_core.training.runtime import Runtime
from lt_core.training.trial import steps_alone


def _end_with(stream: IO[bytes]) -> None:
    """Kill this process when nobody can write to ``stream`` any more."""
    while stream.read(1):
        pass
    os._exit(1)


def main() -> None:
    """Take the steps of the trial; process 0 reports the results."""
    task = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    spec, runtime = received(task["trial"]), Runtime(**task["runtime"])
    with together(runtime, task["store"]):
        *_, result = steps_alone(spec, runtime)
    if isinstance(result, TrialResult) and result.status != OK:
        sys.exit(f"{result.status}: {result.cause}")


if __name__ == "__main__":
    main()
