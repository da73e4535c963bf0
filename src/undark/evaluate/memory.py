"""Peak memory of one photo, read and enhanced in a process of its own.

What a process has done before stays in its peak, so each contender gets a fresh one, which loads
what it needs and nothing else:

    python -m undark.evaluate.memory '{"baseline": "LIME", "photo": "night.jpg"}'
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from undark.evaluate.machine import peak_memory

__all__ = ["Origin", "peak_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """How another process opens a contender: a model and what runs it, or a baseline.

    Attributes:
        model: Catalog name or path of an ``.onnx``.
        baseline: Name of a baseline, where there is no model.
        runtime: As `Enhancer` takes it.
        device: As `Enhancer` takes it.
        threads: As `Enhancer` takes it.
        precision: As `Enhancer` takes it.
    """

    model: str | None = None
    baseline: str | None = None
    runtime: str = "auto"
    device: str = "auto"
    threads: int | None = None
    precision: str = "auto"


def peak_of(origin: Origin, photo: Path) -> int | None:
    """Largest resident memory in bytes of a process that reads `photo` and enhances it.

    It counts the interpreter and all libraries. None where the system does not say or the
    process fails.
    """
    request = json.dumps({**asdict(origin), "photo": str(photo)})
    command = [sys.executable, "-m", "undark.evaluate.memory", request]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def _enhance(
    *,
    photo: str,
    model: str | None,
    baseline: str | None,
    **engine: Any,
) -> None:
    from undark.io.photo import read_photo

    dark = read_photo(Path(photo))
    if baseline is not None:
        from undark.evaluate.baselines import BASELINES

        BASELINES[baseline](dark)
    elif model is not None:
        from undark.engine.enhancer import Enhancer

        Enhancer(model, **engine)(dark)


if __name__ == "__main__":
    _enhance(**json.loads(sys.argv[1]))
    sys.stdout.write(f"{json.dumps(peak_memory())}\n")
