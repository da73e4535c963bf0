"""A plan on a Ray cluster: Ray Data carries shards' numbers, actors do them.

Pixels never enter Ray's object store, and nothing rests on Ray's own checkpoints: an actor, a node
or the driver may be killed at any moment, since receipts alone say what is done. Each actor keeps
one worker process that holds the model, so that a photo which kills it is found out and set aside.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from typing import Any, Final

from undark.errors import DeviceError, UndarkError
from undark.fleet.child import Limits
from undark.fleet.extra import package
from undark.fleet.opening import open_store
from undark.fleet.plan import Plan, open_plan
from undark.fleet.pool import Pool
from undark.fleet.receipts import Receipt
from undark.fleet.run import Told, work
from undark.fleet.settings import Settings
from undark.fleet.workshop import sweep

__all__ = ["Cluster"]

_SHARE: Final = 0.9
"""Of a core for each actor: the rest is for reading and for Ray itself."""

# Nobody is told of each use, and what Ray itself writes on stderr is not for users.
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}

_SHOWN: Final = 20  # Failures that an actor tells of by name in each shard.
_BLOCKS: Final = 10_000


class Cluster:
    """A Ray cluster.

    Args:
        address: Its address; ``auto`` for the one that this machine is part of, ``local`` to start
            one here.
        processes: Actors; None for one for each core, or on GPUs one for each.
        limits: What each worker process keeps to.
        longest: Seconds that a photo may take.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: The cluster cannot be reached.
    """

    def __init__(
        self,
        address: str,
        processes: int | None,
        *,
        limits: Limits,
        longest: float | None = None,
    ) -> None:
        """Reach the cluster."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        self._ray = package("ray")
        self._data = package("ray.data")
        self._processes = processes
        self._limits = limits
        self._longest = longest
        here: dict[str, Any] = {}
        if address == "local":
            here = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level="error", **here)
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DeviceError(f"{address}: no Ray cluster there: {reason[:300]}") from error

    def work(
        self, plan: Plan, settings: Settings, *, stopping: Callable[[], bool]
    ) -> Generator[Told, None, None]:
        """Do what a plan has still to be done, and tell of it, shard by shard.

        Args:
            plan: The plan; every node must reach its store, the sources and the destination.
            settings: The run's.
            stopping: Asked now and then: whether to end.

        Raises:
            OutputError: A store fails, or a worker cannot go on.
            DeviceError: Workers die as they start, or the cluster fails.
        """
        shards = self._data.from_items(
            [{"shard": number} for number in range(plan.shards)],
            override_num_blocks=min(plan.shards, _BLOCKS),
        )
        gpu = settings.recipe.device != "cpu"
        done = shards.map_batches(
            _Shards,
            fn_constructor_args=(settings, self._limits, self._longest),
            batch_size=1,
            compute=self._data.ActorPoolStrategy(size=self._actors(gpu=gpu, shards=plan.shards)),
            num_cpus=_SHARE,
            num_gpus=1 if gpu else 0,
        )
        try:
            for row in done.iter_rows():
                yield _told(row)
                if stopping():
                    break
        except UndarkError:
            raise
        except Exception as error:
            raise _worded(error) from error
        finally:
            self._ray.shutdown()

    def _actors(self, *, gpu: bool, shards: int) -> int:
        there = self._ray.cluster_resources()
        room = int(there.get("GPU", 0) if gpu else there.get("CPU", 1))
        return max(1, min(self._processes or room, room, shards))


class _Shards:
    """An actor: shards in, what became of them out."""

    def __init__(self, settings: Settings, limits: Limits, longest: float | None) -> None:
        self._plan = open_plan(settings.plan)
        sweep(open_store(settings.to).path("") if settings.to else None)
        self._pool = Pool(settings, 1, limits=limits, longest=longest)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        numbers = [int(number) for number in batch["shard"]]
        told = [_gathered(number, work(self._plan, self._pool, [number])) for number in numbers]
        return {name: [item[name] for item in told] for name in told[0]}


def _gathered(shard: int, news: Iterator[Told]) -> dict[str, Any]:
    """What became of a shard, in a few numbers and names."""
    found = count = failed = 0
    shown: list[dict[str, Any]] = []
    died: list[str] = []
    for told in news:
        found += told.found
        count += told.count
        failed += told.failed
        shown += [asdict(item) for item in told.receipts if not item.done or item.note]
        died += ["\t".join(told.died)] if told.died else []
    return {
        "shard": shard,
        "found": found,
        "count": count,
        "failed": failed,
        "shown": shown[:_SHOWN],
        "died": died,
    }


def _told(row: dict[str, Any]) -> Told:
    receipts = tuple(Receipt(**item) for item in row["shown"])
    key, _, how = (list(row["died"]) or [""])[-1].partition("\t")
    return Told(
        row["shard"],
        receipts,
        found=row["found"],
        died=(key, how) if key else None,
        unnamed=row["count"] - len(receipts),
        unnamed_failed=row["failed"] - sum(not item.done for item in receipts),
    )


def _worded(error: Exception) -> UndarkError:
    """An error of undark's that an actor raised, or one that says that the cluster failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UndarkError):
            return type(cause)(str(cause).splitlines()[-1])
        cause = getattr(cause, "cause", None) or cause.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return DeviceError(f"the Ray cluster failed: {lines[-1][:300]}")
