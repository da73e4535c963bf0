"""A plan on a Ray cluster of two nodes, of which an actor, a node and the driver are killed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("ray", reason="the extra fleet is not installed")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fleet.py"


def _has_namespaces() -> bool:
    """Whether this user may have a network that holds loopback alone."""
    command = ["unshare", "-rn", "--pid", "--fork", "--mount-proc", "ip", "link", "set", "lo", "up"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def fleet() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("fleet_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fleet_benchmark"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["fleet_benchmark"]


# Starts a Ray cluster and, after the driver's death, another driver: some ten seconds each.
@pytest.mark.slow
@pytest.mark.skipif(
    not _has_namespaces(),
    reason="Ray is tested in a network of its own: no unshare or ip, or not permitted",
)
def test_an_actor_a_node_and_the_driver_may_be_killed(fleet: ModuleType, tmp_path: Path) -> None:
    found = fleet.ray_chaos(tmp_path, 40, 1.0, per_shard=5, most=3, pace=0.3)
    assert found.kills == {"actor": 1, "raylet": 1, "driver": 1}
    assert (found.missing, found.repeated) == (0, 0)
    assert found.good
    assert found.equal
    assert found.redone <= 12, "what was in hand or not yet told, and no more"
