"""Where the page's sources are, and what their own tools say of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
WEB = ROOT / "web"


class Sources:
    """A copy of the page's sources, with the packages that its lock file names."""

    def __init__(self, folder: Path, node: Path) -> None:
        self.folder = folder
        self._node = node

    def npm(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run npm in it."""
        return subprocess.run(
            [
                str(self._node / "bin" / "node"),
                str(self._node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
                *words,
            ],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PATH": f"{self._node / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        )
