"""What the nodes of a cluster need to train trials, and how Ray's runtime environment provides what is missing.

A node needs Python, Ray, torch and torchvision, which depend on its hardware. Everything else is small: where it is missing, Ray
installs the driver's versions, for this run only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from lt_core.errors import UserError
from lt_core.labels import counted

#: The distributions that `lt_core` imports, besides the standard library and `THEIRS`.
OURS = ("filelock", "imbalanced-learn", "numpy", "pillow", "pyarrow", "safetensors", "scikit-learn", "scipy")
#: The distributions that must be installed on a node; their own requirements are not checked.
THEIRS = ("ray", "torch", "torchvision")
_PATIENCE = 60.0  # seconds that a node may take to answer


def pinned() -> dict[str, str]:
    """The distributions that trials need, including requirements of `OURS` but not `THEIRS` → their versions here."""
    from packaging.requirements import Requirement

    versions: dict[str, str] = {}
    wanted = list(OURS)
    while wanted:
        name = _normal(wanted.pop())
        if name in versions or name in THEIRS:
            continue
        versions[name] = metadata.version(name)
        needs = map(Requirement, metadata.requires(name) or ())
        wanted += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return dict(sorted(versions.items()))


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def lacking(names: Sequence[str]) -> dict[str, list[str]]:
    """Host → the distributions among ``names`` that it lacks, for the nodes of the cluster that this process has joined.

    A node that does not answer within a minute is busy and is assumed to have them all; if it does not, a trial will say so.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def missing(wanted: list[str]) -> list[str]:  # nested, so that it is pickled by value, because the node may lack this package
        from importlib import metadata

        here = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in metadata.distributions()}
        return [name for name in wanted if name not in here]

    asked = ray.remote(num_cpus=0)(missing)
    nodes = {
        asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(list(names)): node
        for node in ray.nodes()
        if node["Alive"]
    }
    done, late = ray.wait(list(nodes), num_returns=len(nodes), timeout=_PATIENCE)
    for one in late:
        ray.cancel(one, force=True)
    found = {nodes[one]["NodeManagerHostname"] + ":" + str(nodes[one]["NodeManagerPort"]): ray.get(one) for one in done}
    return {host: names for host, names in sorted(found.items()) if names}


def installed_by_ray(missing: Mapping[str, Sequence[str]], versions: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The runtime environment for a cluster whose hosts lack distributions, and a sentence that says so; both empty if nothing
    is missing.

    Args:
        missing: host → names, as `lacking` finds them.
        versions: of distributions that Ray can install.

    Raises:
        UserError: a host lacks something that Ray cannot install.

    >>> installed_by_ray({"node2:4": ["scipy"]}, {"numpy": "2.3.5", "scipy": "1.16.3"})[0]["pip"]["packages"]
    ['scipy==1.16.3']
    """
    for host, names in missing.items():
        if theirs := [name for name in names if name not in versions]:
            raise UserError(f"node {host} lacks {' and '.join(theirs)}, which must be installed on each node: install it there")
    needed = sorted({name for names in missing.values() for name in names})
    if not needed:
        return {}, ""
    packages = [f"{name}=={versions[name].partition('+')[0]}" for name in needed]
    # Without dependencies, because pip would install another torch; `versions` has all requirements that a node may lack.
    pip = {"packages": packages, "pip_check": False, "pip_install_options": ["--no-deps", "--disable-pip-version-check"]}
    words = f"{counted(len(missing), 'node')} of the cluster {'lacks' if len(missing) == 1 else 'lack'} {', '.join(needed)}"
    return {"pip": pip}, f"{words}: Ray installs {'it' if len(needed) == 1 else 'them'} for this run"
