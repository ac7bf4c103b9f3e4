"""The connection of a driver to Ray: one of its own on this machine, or an existing cluster."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from bench.running import scratch, stopping
from bench.running.backends.nodes import THEIRS, installed_by_ray, lacking, pinned
from bench.running.backends.ray_daemons import started_quickly
from bench.running.backends.ray_start import open_to_strangers, out_of_reach, signals_left_alone, with_workers_ready
from lt_core.errors import UserError

_STARTS = 4  # attempts to start a Ray of our own
_ROOT = Path(__file__).resolve().parents[3]


@stopping.waited_for()  # a signal in the middle would leave a Ray that this process can neither import nor start again
def connect(address: str | None, cpus: float, gpus: float | None, verbose: bool) -> None:
    """Connect this process to Ray, unless it is connected already.

    Args:
        address: of a cluster to join; None: start a Ray on this machine.
        cpus: per trial; with ``gpus`` they decide whether workers of a local Ray are started ahead of the first trials.
        verbose: let Ray report what it does.

    Raises:
        UserError: Ray is not installed or does not start, no cluster answers, or a node lacks what it must have.
    """
    _set_variables(address, verbose)
    try:
        import ray
    except ImportError:
        raise UserError(
            "the ray backend needs Ray, which is not installed: use --backend inline, or pip install 'ray[tune]'"
        ) from None
    level = logging.INFO if verbose else logging.CRITICAL
    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(level)
    if ray.is_initialized():
        return
    options: dict[str, Any] = {"log_to_driver": verbose, "logging_level": level, "configure_logging": True}
    if address is None:
        _start_here(options, cpus, gpus)
    else:
        _join(address, options)


def _set_variables(address: str | None, verbose: bool) -> None:
    """Environment variables that Ray reads when it is imported or started."""
    # Trials get absolute paths; Tune's own files are of no use to us, and its loggers cost time.
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "600")
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # `stopping` handles signals
    if address is None and "ray" not in sys.modules:  # read when Ray is imported; Ray 2.60 does it by itself
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not verbose:
        os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the newer reporter prints even at verbosity 0
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # no dump of a lost node's log: we report lost trials


def _start_here(options: dict[str, Any], cpus: float, gpus: float | None) -> None:
    # Without "local" a stale cluster file makes Ray join a cluster that is gone.
    local = options | {"address": "local", "include_dashboard": False, "_temp_dir": str(scratch.ray_folder())}
    scratch.sweep()
    with out_of_reach(), started_quickly(options["log_to_driver"]):
        with_workers_ready(partial(_started, **local), cpus, gpus)


def _join(address: str, options: dict[str, Any]) -> None:
    import ray

    _check_address(address)
    # The same code on every node, whatever is installed there.
    modules = {"py_modules": [str(_ROOT / name) for name in ("lt_core", "bench")]}
    try:
        _started(address=address, **options)
        versions = pinned()
        more, words = installed_by_ray(lacking([*THEIRS, *versions]), versions)
        ray.shutdown()  # a runtime environment belongs to a job, and this one was started without
        _started(address=address, runtime_env={**modules, **more}, **options)
    except ConnectionError as error:
        # Ray says in its log alone that a token is missing or wrong.
        raise UserError(
            f"no Ray cluster answers at {address} ({error}): check `ray status` there, and set RAY_AUTH_MODE and "
            "RAY_AUTH_TOKEN as on the cluster"
        ) from None
    if words:
        print(words, flush=True)
    if open_to_strangers(ray.get_runtime_context().gcs_address):
        print(
            f"warning: the Ray cluster at {address} does not require a token, so anyone who can reach its ports can "
            "run code on every node: start each node with RAY_AUTH_MODE=token (docs/cluster.md)",
            file=sys.stderr,
            flush=True,
        )


def _started(**options: Any) -> None:
    """`ray.init`, repeated if a start takes longer than Ray's own limit of thirty seconds, as it can on a busy machine.

    Raises:
        UserError: it did not start.
        ConnectionError: no cluster answers.
    """
    import ray

    for attempt in range(_STARTS):
        try:
            with signals_left_alone():
                context = ray.init(**options)
            if options["address"] == "local":
                scratch.keep(Path(context.address_info["session_dir"]))
                if not options["log_to_driver"]:
                    atexit.register(ray.shutdown)  # Ray would first sleep for half a second, for messages that are not shown
            return
        except ConnectionError:
            raise
        except Exception as error:  # Ray raises plain ones
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if attempt + 1 == _STARTS:
                raise UserError(
                    f"Ray did not start on this machine in {_STARTS} attempts of half a minute: check whether other programs "
                    "use all processors or all memory, run the same command again, or use --backend inline"
                ) from None


def _check_address(address: str) -> None:
    """Try to connect to ``host:port`` or ``ray://host:port``: Ray itself would wait for minutes for a head that is not there."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto" and the like: Ray knows at once
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address} ({error.strerror or error}): check `ray status` there") from None
