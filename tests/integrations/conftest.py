"""What the tests of integrations share: programs as a desktop finds them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from around import script


@pytest.fixture
def desktop(tmp_path: Path) -> dict[str, str]:
    """The environment of a desktop where undark is installed, and notifications are written down."""
    home = tmp_path / "home"
    call = f'exec "{sys.executable}" -m undark'
    script(home / ".local" / "bin" / "undark", f'{call} "$@"')
    script(tmp_path / "bin" / "notify-send", f'printf "%s\\n" "$*" >> "{tmp_path}/told"')
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {**kept, "HOME": str(home), "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
