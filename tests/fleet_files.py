"""What the tests of fleets share: small dark photos, and the command in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app

__all__ = [
    "digests",
    "killer_runtime",
    "run_json",
    "run_undark",
    "small_photos",
    "start_undark",
    "workers_of",
]


def small_photos(folder: Path, count: int, *, size: tuple[int, int] = (64, 48)) -> Path:
    """Write dark photos, each of other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(count)
    for number in range(count):
        pixels = random.integers(0, 60, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04d}.jpg", quality=90)
    return folder


def start_undark(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "undark", *(str(item) for item in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def run_undark(*arguments: object, code: int | None = 0, **environment: str) -> tuple[str, str]:
    """Run the command to its end, in this process: what it says on stdout and on stderr."""
    given = [str(item) for item in arguments]
    done = CliRunner(env=environment).invoke(app, given)
    assert code is None or done.exit_code == code, (done.exit_code, done.output, done.exception)
    return done.stdout, done.stderr


def run_json(*arguments: object, code: int | None = 0, **environment: str) -> dict[str, Any]:
    """Run the command with --json: the last object on stdout."""
    out, _ = run_undark(*arguments, "--json", code=code, **environment)
    return json.loads(out.splitlines()[-1])


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker processes of a run."""
    try:
        children = psutil.Process(process.pid).children()
        return [item for item in children if any("spawn_main" in part for part in item.cmdline())]
    except psutil.Error:  # it has just ended
        return []


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file below a folder, by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def killer_runtime(folder: Path) -> Path:
    """A package with a runtime, `killer`, whose process is killed by a photo that is all black.

    Returns:
        The folder to put on the path of Python.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "killer.py").write_text(
        textwrap.dedent(
            """
            import os, signal
            from undark.runtime.base import Session
            from undark.runtime.onnxruntime import OnnxRuntime

            class Killer(OnnxRuntime):
                name = "killer"

                def open(self, model, *, device, threads, precision):
                    return Loaded(super().open(
                        model, device=device, threads=threads, precision=precision))

            class Loaded(Session):
                runtime = "killer"

                def __init__(self, inner):
                    super().__init__()
                    self.inner = inner
                    self.signature, self.device = inner.signature, inner.device

                def _run(self, inputs, outputs):
                    if inputs["image"].max() == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return self.inner(inputs, outputs)

                def _version(self):
                    return "1"
            """
        )
    )
    info = folder / "killer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: killer\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[undark.runtimes]\nkiller = killer:Killer\n")
    return folder
