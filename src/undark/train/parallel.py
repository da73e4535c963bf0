"""The processes of a run that several GPUs or machines share: who they are, start and end.

One process drives one GPU. On one machine the run starts the others itself; on several, each
machine runs the same command, told by torchrun, by SLURM, or by ``MASTER_ADDR``, ``MASTER_PORT``
and ``NODE_RANK`` which of them it is.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed

from undark.errors import TrainError, UndarkError, UsageError

__all__ = ["ALONE", "World", "check_gpus", "companions", "find_world"]

_GRACE = 15.0
"""Seconds that the first process has to end by itself once another has failed."""

_PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: one may have many images to measure."""

_GONE = re.compile(r"closed by peer|reset by peer|broken pipe|aborted|timed? ?out", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run, and which of them this is.

    Attributes:
        rank: This one's number among all, from 0; the first alone writes and tells.
        local: Its number on this machine, and the number of its GPU.
        devices: Processes on each machine.
        nodes: Machines.
        address: Of the machine of the first process.
        port: Where that one listens.
        given: Whether something else starts all processes.
    """

    rank: int = 0
    local: int = 0
    devices: int = 1
    nodes: int = 1
    address: str = "127.0.0.1"
    port: int = 0
    given: bool = False

    @property
    def size(self) -> int:
        """Processes in all."""
        return self.devices * self.nodes

    @property
    def leads(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def options(self) -> dict[str, Any]:
        """How Lightning's Trainer is told."""
        if self.size == 1:
            return {"devices": 1}
        return {
            "devices": self.devices,
            "num_nodes": self.nodes,
            "strategy": DDPStrategy(find_unused_parameters=True, timeout=_PATIENCE),
            "plugins": [_Environment(self)],
            "use_distributed_sampler": False,
        }


ALONE: Final = World()
"""The one process of a run that nothing else shares."""


class _Environment(ClusterEnvironment):
    """Tells Lightning what a `World` holds; the processes are there already."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self._world.address

    @property
    def main_port(self) -> int:
        return self._world.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._world.size

    def set_world_size(self, size: int) -> None:
        del size

    def global_rank(self) -> int:
        return self._world.rank

    def set_global_rank(self, rank: int) -> None:
        del rank

    def local_rank(self) -> int:
        return self._world.local

    def node_rank(self) -> int:
        return self._world.rank // self._world.devices


def find_world(
    devices: int, nodes: int, device: str, environment: Mapping[str, str] = os.environ
) -> World:
    """Which process of which run this is, as the `environment` and the arguments say.

    Args:
        devices: GPUs to use on each machine; on a CPU, processes.
        nodes: Machines.
        device: ``auto``, ``cpu`` or ``cuda``.
        environment: Variables that torchrun, SLURM or the user set.

    Raises:
        UsageError: There are not as many GPUs, or it is not said which machine this is.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        size, local = (int(environment[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        world = World(
            rank=int(environment["RANK"]),
            local=int(environment["LOCAL_RANK"]),
            devices=local,
            nodes=size // local,
            address=environment["MASTER_ADDR"],
            port=int(environment["MASTER_PORT"]),
            given=True,
        )
    elif SLURMEnvironment.detect() and int(environment.get("SLURM_NTASKS", 1)) > 1:
        slurm = SLURMEnvironment()
        count = int(environment.get("SLURM_NNODES", nodes))
        world = World(
            rank=slurm.global_rank(),
            local=slurm.local_rank(),
            devices=slurm.world_size() // count,
            nodes=count,
            address=slurm.main_address,
            port=slurm.main_port,
            given=True,
        )
    elif nodes > 1:
        world = _of_several(devices, nodes, environment)
    else:
        world = World(devices=devices)
    check_gpus(device, world.devices)
    return world


def check_gpus(device: str, count: int = 1) -> None:
    """Whether this machine has `count` GPUs, if `device` asks for any.

    Raises:
        UsageError: It has not as many.
    """
    if device != "cuda" and not (device == "auto" and torch.cuda.is_available()):
        return
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if there == 0:
        raise UsageError(
            "PyTorch finds no GPU on this machine for cuda; auto takes what there is",
            argument="device",
        )
    if count > there:
        raise UsageError(
            f"this machine has {there} {'GPU' if there == 1 else 'GPUs'}, not {count}",
            argument="devices",
        )


def _of_several(devices: int, nodes: int, environment: Mapping[str, str]) -> World:
    try:
        node, port = int(environment["NODE_RANK"]), int(environment["MASTER_PORT"])
        address = environment["MASTER_ADDR"]
    except (KeyError, ValueError):
        raise UsageError(
            f"{nodes} machines need MASTER_ADDR, MASTER_PORT and NODE_RANK (0 to {nodes - 1}) in"
            " the environment of each; or start undark by torchrun or srun",
            argument="nodes",
        ) from None
    if not 0 <= node < nodes:
        raise UsageError(f"NODE_RANK must be from 0 to {nodes - 1}, not {node}", argument="nodes")
    return World(rank=node * devices, devices=devices, nodes=nodes, address=address, port=port)


@contextlib.contextmanager
def companions(
    world: World, work: Callable[[World], object], notify: Callable[[str], None]
) -> Generator[World]:
    """Start the other processes of this machine, each doing `work`, and end all together.

    Args:
        world: That of this process.
        work: What the others do, told which they are; it is sent to them, so it must be picklable.
        notify: Told where this process must be ended from outside of itself.

    Yields:
        `world` with the port that all meet at.

    Raises:
        TrainError: Another process failed, or was killed.
    """
    if world.size == 1:
        yield world
        return
    world = world if world.port else replace(world, port=_free_port())
    others = [] if world.given else _started(world, work)
    watch = _Watch(others, world, notify)
    watch.start()
    try:
        yield world
    except (UndarkError, KeyboardInterrupt):
        raise
    except Exception as error:
        if (failure := watch.failure(wait_for=15.0)) is not None:
            raise TrainError(failure) from error
        if _GONE.search(str(error)):
            raise TrainError(f"another process of the run ended ({_line(error)})") from error
        raise
    else:
        for other, _ in others:
            other.join(60.0)
    finally:
        watch.over.set()
        for other, _ in others:
            other.terminate()
        for other, _ in others:
            other.join(5.0)
            if other.is_alive():
                other.kill()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _started(world: World, work: Callable[[World], object]) -> list[tuple[BaseProcess, Connection]]:
    """The other processes of this machine, and where each tells why it failed."""
    context = multiprocessing.get_context("spawn")
    found: list[tuple[BaseProcess, Connection]] = []
    for number in range(1, world.devices):
        ours, theirs = context.Pipe(duplex=False)
        own = replace(world, rank=world.rank + number, local=number)
        process = context.Process(target=_work, args=(work, own, theirs), daemon=False)
        process.start()
        theirs.close()
        found.append((process, ours))
    return found


def _work(work: Callable[[World], object], world: World, tell: Connection) -> None:
    """One of the other processes: silent, and deaf to Ctrl-C, which the first one answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(world)
    except KeyboardInterrupt:
        return
    except BaseException as error:
        tell.send(str(error) if isinstance(error, UndarkError) else _line(error))
        raise SystemExit(1) from None
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _exit_code(process: BaseProcess) -> int | None:
    """How an ended process ended; None where that cannot be learned.

    Another thread that looks after its children at the same moment may be told in this one's place,
    and notes the code a little later.
    """
    end = time.monotonic() + 2.0
    while process.exitcode is None and time.monotonic() < end:
        process.join(0.1)
        time.sleep(0.01)
    return process.exitcode


class _Watch(threading.Thread):
    """Waits for a process that fails; ends this one where it hangs for lack of that one."""

    def __init__(
        self,
        others: list[tuple[BaseProcess, Connection]],
        world: World,
        notify: Callable[[str], None],
    ) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._others = others
        self._world = world
        self._notify = notify
        self._failure: str | None = None
        self._failed = threading.Event()

    def run(self) -> None:
        left = dict(enumerate(self._others, 1))
        while left and not self.over.is_set():
            ended = wait([process.sentinel for process, _ in left.values()], timeout=0.5)
            for number, (process, told) in list(left.items()):
                if process.sentinel not in ended:
                    continue
                del left[number]
                code = _exit_code(process)
                if code != 0:
                    self._failure = self._said(number, code, told)
                    self._failed.set()
                    self._end_what_hangs()
                    return

    def failure(self, *, wait_for: float) -> str | None:
        """What was first to fail, if something does in so many seconds."""
        if not self._others:
            return None
        self._failed.wait(wait_for)
        return self._failure

    def _said(self, number: int, code: int | None, told: Connection) -> str:
        if code is None:
            why = "is gone"
        elif code < 0:
            why = f"was ended by {signal.Signals(-code).name}"
        else:
            why = f"ended with {code}"
        with contextlib.suppress(EOFError, OSError):
            why = f"failed: {told.recv()}" if told.poll() else why
        return f"process {self._world.rank + number + 1} of {self._world.size} {why}"

    def _end_what_hangs(self) -> None:
        """A GPU's exchange waits for a lost process and hears of nothing: only an exit ends it."""
        if self.over.wait(_GRACE):
            return
        self._notify(f"{self._failure}; so the run ends")
        for process, _ in self._others:
            process.kill()
        time.sleep(0.1)
        os._exit(1)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
