"""What a measurement ran on: versions, hardware, and the memory it took.

Imports nothing heavy, so that a process that measures its own memory holds little else.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["hardware", "peak_memory", "processor", "versions"]

_PACKAGES = (
    "undark",
    "numpy",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "scipy",
)


def versions() -> dict[str, str]:
    """Versions of undark and of what its results depend on, of those that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str | int]:
    """The processor, how many of its threads this process may use, and the system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "threads": usable or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    # Linux gives the model's name here only; elsewhere the platform module knows it.
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in bytes; None where it is unknown."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage would also count the parent's memory from before this process was its own.
        lines = status.read_text().splitlines()
        line = next((line for line in lines if line.startswith("VmHWM")), None)
        return None if line is None else int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
