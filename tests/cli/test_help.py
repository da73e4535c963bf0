from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import typer
from click.testing import Result

from cli_commands import commands_in
from undark.cli.app import app

Undark = Callable[..., Result]

ROOT = typer.main.get_command(app)
assert isinstance(ROOT, click.Group | typer.core.TyperGroup)
COMMANDS = sorted([*ROOT.commands, *dict(commands_in(ROOT))])
HEAVY = {"numpy", "cv2", "PIL", "onnxruntime", "openvino", "torch", "skimage", "rich"}


@pytest.mark.parametrize(
    "arguments", [["--help"], *([*name.split(), "--help"] for name in dict.fromkeys(COMMANDS))]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from undark.cli.app import main\n"
        f"sys.argv = ['undark', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(*sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "Usage:" in done.stdout
    assert not HEAVY & set(done.stderr.split())


def test_the_version_is_the_packages(undark: Undark) -> None:
    done = undark("--version")
    assert done.exit_code == 0
    assert done.stdout == f"undark {importlib.metadata.version('undark')}\n"


def test_no_arguments_show_the_help(undark: Undark) -> None:
    assert "enhance" in undark().output


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["enhance"],
        ["enhance", "a.jpg", "--nonsense"],
        ["enhance", "a.jpg", "--strength", "2"],
        ["enhance", "a.jpg", "--strength", "nan"],
        ["enhance", "a.jpg", "--exposure", "9"],
        ["enhance", "a.jpg", "--jobs", "0"],
        ["enhance", "a.jpg", "--quality", "101"],
        ["enhance", "a.jpg", "--format", "gif"],
        ["enhance", "a.jpg", "-m", "nonsense"],
        ["enhance", "-", "a.jpg"],
        ["models", "nonsense"],
        ["evaluate"],
        ["train", "unet"],
        ["export", "a.ckpt"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_line_on_stderr(
    arguments: list[str], undark: Undark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    done = undark(*arguments)
    assert done.exit_code == 2
    assert done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr
