"""What the tests of integrations share: programs as a desktop finds them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from around import script


@pytest.fixture
def desktop(tmp_path: Path) -> dict[str, str]:
    """The environment of a desktop with undark (its fastest model); notifications go to a file."""
    home = tmp_path / "home"
    call = f'name=$1; shift; exec "{sys.executable}" -m undark "$name" -m curve "$@"'
    script(home / ".local" / "bin" / "undark", call)
    script(tmp_path / "bin" / "notify-send", f'printf "%s\\n" "$*" >> "{tmp_path}/told"')
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
