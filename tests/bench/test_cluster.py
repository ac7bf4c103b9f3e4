"""A run on a cluster of two nodes, what the nodes must share, and the files of docs/cluster."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import yaml

import bench
from bench.records.store import Store
from bench.suites.suite import parse_suite
from lt_core import plugins
from lt_core.result import FAILED, OK
from lt_core.training import Runtime, run_trial, trial_steps
from tests.bench.harness import ROOT, TINY, cli, records, same, start, wait_for, workers

NOWHERE = Path("/proc/nowhere")  # a folder that cannot be made, even by root
FILES = ROOT / "docs" / "cluster"
RAY = str(Path(sys.executable).with_name("ray"))


@dataclass
class Cluster:
    """Two nodes on loopback, each of which is a `ray start --block` and its child processes."""

    address: str
    head: subprocess.Popen
    second: subprocess.Popen
    hidden: Path | None  # a folder that the second node does not see; None if the machine cannot hide one


def can_hide(folder: Path) -> bool:
    """Whether we may give a process its own view of the file system, as root on Linux may."""
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(folder)]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("r")  # a short name, because sockets go there
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started: list[subprocess.Popen] = []
    seen: dict[int, psutil.Process] = {}

    hidden = folder / "hidden"
    hidden.mkdir()
    # A file system that is mounted over the folder, in that node's namespace only; it disappears with the node.
    blind = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {hidden} && exec "$@"', "sh"] if can_hide(hidden) else []

    def node(name: str, *options: str, within: Sequence[str] = ()) -> subprocess.Popen:
        command = [
            *within, RAY, "start", "--block", *options, "--num-cpus=1", f"--temp-dir={folder / name}",
            "--object-store-memory=100000000", "--disable-usage-stats",
        ]  # fmt: skip
        with open(folder / f"{name}.log", "w") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))
        wait_for(lambda: "Ray runtime started" in (folder / f"{name}.log").read_text(), started[-1])
        seen.update({child.pid: child for child in psutil.Process(started[-1].pid).children(recursive=True)})
        return started[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")  # this cluster has a token of its own, which the processes that we start inherit
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            head = node("h", "--head", f"--port={address.split(':')[1]}", "--include-dashboard=false")
            # It has another address, like another machine, so that a driver on the head does not take it for its own node.
            second = node("s", f"--address={address}", "--node-ip-address=127.0.0.2", within=blind)
            yield Cluster(address, head, second, hidden if blind else None)
        finally:
            # End only what was started here, by its process id, because other Rays may run on this machine.
            for process in started:
                with contextlib.suppress(psutil.Error):
                    seen.update({child.pid: child for child in psutil.Process(process.pid).children(recursive=True)})
                process.terminate()
            for process in started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=15)
            for left in psutil.wait_procs(list(seen.values()), timeout=5)[1]:
                with contextlib.suppress(psutil.Error):
                    left.kill()
            for process in started:
                process.kill()
                process.wait()


# Code to append to a plug-in: the first worker of a node waits for a worker of the other node, so that both nodes train, however
# busy the machine and however short the trials are.
MEETING = """
import time
from pathlib import Path

import ray

if ray.is_initialized() and ray.get_runtime_context().worker.mode == ray.WORKER_MODE:
    met = Path({folder!r})
    (met / ray.get_runtime_context().get_node_id()).touch()
    until = time.monotonic() + 120
    while len(list(met.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.1)
"""


@pytest.mark.timeout(280)
def test_a_node_that_does_not_see_the_runs_folder_sends_its_results_and_trains_shared_stages_anew(cluster, tmp_path):
    if cluster.hidden is None:
        pytest.skip("this machine cannot hide a folder from a process")
    suite = tmp_path / "blind.yaml"
    data = {**TINY["data"], "imbalance_factor": 10}
    suite.write_text(yaml.safe_dump({**TINY, "data": data, "methods": ["crt", "lws", "my_vs"]}))
    run, plugin = cluster.hidden / "blind", cluster.hidden / "vs_loss.py"
    met = tmp_path / "met"
    met.mkdir()
    plugin.write_text((ROOT / "docs" / "examples" / "vs_loss.py").read_text() + MEETING.format(folder=str(met)))
    done = cli("run", str(suite), "--out", str(cluster.hidden), "--address", cluster.address, "--plugin", str(plugin))
    assert done.returncode == 0, done.stderr
    assert len(list(met.iterdir())) == 2, "a worker of each node loaded the plug-in"
    assert set(Store(run).frame()["status"]) == {"ok"}
    assert not Path(f"/proc/{cluster.second.pid}/root{plugin}").exists(), "the text of a plug-in file travels with its trials"
    # The same folder as the second node sees it, through one of its processes.
    theirs = Path(f"/proc/{cluster.second.pid}/root{run}")
    assert list(theirs.glob("stages/*.pt")) and list(run.glob("stages/*.pt"))
    assert not (theirs / "records").exists()
    loaded = plugins.load(plugin)
    try:
        bench.run(str(suite), backend="inline", out=tmp_path / "inline")
    finally:
        plugins.forget(loaded.version)
    same(run, tmp_path / "inline" / "blind")


@pytest.mark.timeout(280)
def test_two_nodes_give_the_figures_of_the_bare_loop_though_one_dies_and_the_cluster_stays(cluster, tmp_path):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(yaml.safe_dump({**TINY, "recipe": {"base": "digits", "epochs": 30}, "seeds": 1}))
    run = tmp_path / "tiny"
    process = start("run", str(suite), "--out", str(tmp_path), "--address", cluster.address, log=tmp_path / "log")
    try:
        wait_for(lambda: workers(cluster.head) and workers(cluster.second) and len(records(run)) >= 1, process)
        (raylet,) = [p for p in psutil.Process(cluster.second.pid).children() if p.name() == "raylet"]
        raylet.kill()
        kept = len(records(run))
        assert process.wait(timeout=150) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
    text = (tmp_path / "log").read_text()
    assert "tiny: 8 trials to run, 2 at a time" in text
    assert "raylet" not in text
    assert kept < 8, "the node died too late to matter"
    frame = Store(run).frame()
    assert (len(frame), set(frame["status"])) == (8, {"ok"})
    bench.run(str(suite), backend="inline", out=tmp_path / "inline")
    same(run, tmp_path / "inline" / "tiny")

    assert cluster.head.poll() is None
    status = subprocess.run([RAY, "status", "--address", cluster.address], capture_output=True, text=True, timeout=60)
    assert status.returncode == 0, status.stderr


# What a node does that does not see the driver's paths ---------------------------------------------


@pytest.fixture
def spec():
    (spec,) = parse_suite("one", {**TINY, "data": {**TINY["data"], "imbalance_factor": 10}, "methods": ["crt"], "seeds": 1}).specs
    return spec


def test_without_a_place_for_checkpoints_a_trial_ends_well(spec):
    plain = replace(spec, method=parse_suite("s", {**TINY, "methods": ["softmax"]}).specs[0].method)
    with pytest.warns(UserWarning, match="checkpoint .* cannot be written"):
        result = run_trial(plain, Runtime(checkpoint=str(NOWHERE / "x.pt"), checkpoint_every=0))
    assert result.status == OK
    assert result.confusion == run_trial(plain).confusion


def test_an_interrupted_trial_goes_on_where_its_checkpoint_is_seen_and_else_starts_over(spec, tmp_path):
    here, there = (Runtime(checkpoint=str(tmp_path / name / "x.pt"), checkpoint_every=0) for name in ("here", "there"))
    steps = trial_steps(spec, here)
    for _ in range(3):
        next(steps)
    steps.close()
    other, same_node = run_trial(spec, there), run_trial(spec, here)
    assert other.environment["resumed_at"] == []
    assert same_node.environment["resumed_at"] != []
    assert other.confusion == same_node.confusion


def test_a_shared_stage_that_a_node_does_not_see_is_trained_there_anew(spec, tmp_path):
    here, there = (run_trial(spec, Runtime(stages=str(tmp_path / name))) for name in ("here", "there"))
    assert here.confusion == there.confusion
    assert [len(list((tmp_path / name).glob("*.pt"))) for name in ("here", "there")] == [1, 1]


def test_where_the_folder_of_shared_stages_cannot_be_made_their_trials_fail(spec):
    result = run_trial(spec, Runtime(stages=str(NOWHERE)))
    assert result.status == FAILED
    assert "/proc/nowhere" in result.cause


def test_a_node_without_the_data_folder_fails_the_trial_and_says_so(spec):
    result = run_trial(replace(spec, data=replace(spec.data, dataset="cifar10")), Runtime(data_dir="/nowhere"))
    assert result.status == FAILED
    assert "the data folder /nowhere does not exist" in result.cause


# The files of docs/cluster -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["autoscaler.yaml", "onpremise.yaml"])
def test_ray_takes_the_files_of_its_launcher(name):
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((FILES / name).read_text())))


def test_kuberay_manifest_has_what_a_rayjob_needs():
    job = yaml.safe_load((FILES / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["metadata"]["name"]
    assert "bench.py run papers" in job["spec"]["entrypoint"]
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert group["rayStartParams"] is not None
        (container,) = pod["containers"]
        assert {"name", "image", "resources", "volumeMounts"} <= container.keys()
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert group["groupName"]


def test_every_ray_start_asks_for_a_token():
    for path in (FILES.parent / "cluster.md", *FILES.iterdir()):
        commands = [line for line in path.read_text().splitlines() if re.match(r"[^#`]*ray start --", line)]
        exported = "export RAY_AUTH_MODE=token" in path.read_text()
        assert exported or all("RAY_AUTH_MODE=token ray start" in line for line in commands), path
        assert commands or path.name == "kuberay.yaml"
    assert yaml.safe_load((FILES / "kuberay.yaml").read_text())["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_slurm_script_is_bash():
    assert subprocess.run(["bash", "-n", FILES / "slurm.sh"], capture_output=True, text=True, timeout=20).stderr == ""


LISTEN = (
    "import os, socket, time; s = socket.create_server(('', 20000 + int(os.environ['SLURM_JOB_ID']) % 20000)); time.sleep(60)"
)
STAND_INS = {  # replacements for what a machine without SLURM lacks, and for what takes long
    "srun": 'while [[ $1 == -* ]]; do [[ $1 == -w ]] && shift; shift; done; exec "$@"',
    "scontrol": "printf 'one\\ntwo\\n'",
    "hostname": "echo 127.0.0.1",
    "sleep": "exec /bin/sleep 0.1",
    "ray": f'echo "$*" >> "$SHARED/ray"; [[ "$*" == *--head* ]] && exec {sys.executable} -c "{LISTEN}"',
    "python": f'[[ $1 == -c ]] && exec {sys.executable} "$@"; trap \'echo asked; exit 130\' TERM; echo "driver $*"; '
    "while :; do /bin/sleep 0.05; done",
}


def test_slurms_warning_reaches_the_driver_alone(tmp_path):
    shared, stand_ins = tmp_path / "shared", tmp_path / "bin"
    (shared / "lt-bench" / ".venv" / "bin").mkdir(parents=True)
    (shared / "lt-bench" / ".venv" / "bin" / "activate").touch()
    stand_ins.mkdir()
    for name, body in STAND_INS.items():
        (stand_ins / name).write_text(f"#!/bin/bash\n{body}\n")
        (stand_ins / name).chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        job = str(free.getsockname()[1])
    given = {"SLURM_JOB_ID": job, "SLURM_JOB_NODELIST": "one,two", "SLURM_CPUS_PER_TASK": "2", "SHARED": str(shared)}
    environment = {**os.environ, **given, "PATH": f"{stand_ins}:{os.environ['PATH']}"}
    log = tmp_path / "log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            ["bash", FILES / "slurm.sh", "quick"], stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        wait_for(lambda: "driver" in log.read_text(), process)
        process.terminate()  # signals only the script, as `--signal=B:` does
        assert process.wait(timeout=20) == 130
        assert log.read_text().splitlines()[-1] == "asked"
        assert "driver bench.py run quick --address 127.0.0.1:" in log.read_text()
        assert re.search(r"^#SBATCH --signal=B:TERM@\d+$", (FILES / "slurm.sh").read_text(), re.MULTILINE)
        assert "--head" in (shared / "ray").read_text()
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_commands_of_the_files_have_options_that_exist():
    helped = cli("run", "--help").stdout + subprocess.run([RAY, "start", "--help"], capture_output=True, text=True).stdout
    text = "".join(path.read_text() for path in sorted(FILES.iterdir()))
    found = set()
    for line in text.replace("\\\n", " ").splitlines():
        if "bench.py run" in line or "ray start" in line or '"${ray[@]}"' in line:
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line.split("srun")[-1].split(" -w ")[-1]):
                assert option in helped, f"{option} in {line}"
                found.add(option)
    assert {"--address", "--gpus-per-trial", "--head"} <= found
