"""What nodes of a cluster lack, and how Ray installs it."""

from __future__ import annotations

import ast
import contextlib
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import psutil
import pytest
import yaml

import bench
from bench.running.backends.nodes import OURS, THEIRS, installed_by_ray, pinned
from lt_core.errors import UserError
from tests.bench.harness import ROOT, TINY, cli, same, wait_for

#: Packages that only some trials need; such a trial says so if they are missing.
OPTIONAL = {"timm", "efficientnet-lite-pytorch", "pytest"}


def test_what_trials_import_is_what_nodes_are_given():
    tops = set()
    for file in (ROOT / "lt_core").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            tops |= {name.partition(".")[0] for name in names}
    owners = metadata.packages_distributions()
    used = {name.lower() for top in tops - sys.stdlib_module_names for name in owners.get(top, ()) if name != "lt-bench"}
    assert used - OPTIONAL == {*OURS, "torch", "torchvision"}


def test_versions_are_those_of_this_machine_and_include_what_packages_need():
    versions = pinned()
    assert set(OURS) < set(versions) and not set(THEIRS) & set(versions)
    assert versions["joblib"] == metadata.version("joblib"), "which scikit-learn needs"


def test_only_what_is_missing_is_installed():
    versions = {"numpy": "2.3.5", "scipy": "1.16.3+local"}
    assert installed_by_ray({}, versions) == ({}, "")
    more, words = installed_by_ray({"a:1": ["scipy"], "b:2": ["scipy", "numpy"]}, versions)
    assert more["pip"]["packages"] == ["numpy==2.3.5", "scipy==1.16.3"]
    assert words == "2 nodes of the cluster lack numpy, scipy: Ray installs them for this run"
    with pytest.raises(UserError, match=r"^node a:1 lacks torch, which must be installed on each node: install it there$"):
        installed_by_ray({"a:1": ["torch"]}, versions)


def wheel_of(name: str, folder: Path) -> None:
    """A wheel of an installed pure-Python distribution, from its files."""
    found = metadata.distribution(name)
    file = folder / f"{found.metadata['Name'].replace('-', '_')}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as made:
        for path in found.files or ():
            if (
                ".." not in path.parts
                and path.suffix != ".pyc"
                and path.name not in ("INSTALLER", "REQUESTED", "direct_url.json")
            ):
                made.write(path.locate(), str(path))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_without_our_smaller_requirements_trains_all_the_same(tmp_path_factory):
    """The node's Python has everything except imbalanced-learn and its requirements, and an index has only these."""
    folder = tmp_path_factory.mktemp("n")
    missing = ("imbalanced-learn", "sklearn-compat")
    python, wheels, out = folder / "venv", folder / "wheels", folder / "out"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(python)], check=True)
    theirs = Path(sysconfig.get_path("purelib", vars={"base": str(python)}))
    wheels.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("imblearn", "imbalanced_learn", "sklearn_compat", "__editable__", "_lt_bench", "lt_bench")):
            (theirs / entry.name).symlink_to(entry)
    for name in missing:
        wheel_of(name, wheels)
    suite = folder / "tiny.yaml"
    data = {**TINY["data"], "imbalance_factor": 10}
    suite.write_text(yaml.safe_dump({**TINY, "data": data, "methods": ["softmax", "smote"], "seeds": 1}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**os.environ, **token, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PYTHONPATH": ""}
    command = [
        str(python / "bin" / "python"), "-m", "ray.scripts.scripts", "start", "--block", "--head", f"--port={port}",
        "--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder / 'h'}", "--object-store-memory=100000000",
        "--disable-usage-stats",
    ]  # fmt: skip
    with open(folder / "log", "w") as log, pytest.MonkeyPatch.context() as patch:
        node = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        for key, value in token.items():
            patch.setenv(key, value)
        try:
            wait_for(lambda: "Ray runtime started" in (folder / "log").read_text(), node)
            done = cli("run", str(suite), "--out", str(out), "--address", f"127.0.0.1:{port}", timeout=300)
        finally:
            left = psutil.Process(node.pid).children(recursive=True)
            node.terminate()
            for process in psutil.wait_procs(left, timeout=15)[1]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            node.wait()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "1 node of the cluster lacks imbalanced-learn, sklearn-compat: Ray installs them for this run" in done.stdout
    bench.run(str(suite), backend="inline", out=folder / "inline")
    same(out / "tiny", folder / "inline" / "tiny")
