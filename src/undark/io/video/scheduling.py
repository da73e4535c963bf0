"""Encoders may not take the processor from everything else.

SVT-AV1, opened by root (as in a container), gives its threads, and the one that opens it, Linux's
real-time policy at its highest priority: nothing else on the machine runs while they have work,
and whatever is started from there inherits it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_THREADS: Final = Path("/proc/self/task")


def start_encoding(file: Any) -> None:
    """Open the encoders of `file`, an open container, and write its header.

    This thread, and those that the encoders begin, keep the policy that this one had before.
    """
    if not hasattr(os, "sched_getscheduler") or not _THREADS.is_dir():
        file.start_encoding()
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads() - {threading.get_native_id()}
    try:
        file.start_encoding()
    finally:
        for thread in _threads() - before:
            with suppress(ProcessLookupError, PermissionError):
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)


def _threads() -> set[int]:
    return {int(thread.name) for thread in _THREADS.iterdir()}
