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

from undark.cli.app import app

Undark = Callable[..., Result]

ROOT = typer.main.get_command(app)
assert isinstance(ROOT, click.Group | typer.core.TyperGroup)
COMMANDS = sorted(ROOT.commands)
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = {"numpy", "cv2", "PIL", "onnxruntime", "openvino", "torch", "skimage", "rich"}


PARAMETERS = [(name, str(item.name)) for name in COMMANDS for item in ROOT.commands[name].params]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_documented(name: str) -> None:
    assert ROOT.commands[name].help
    assert f"\n## undark {name}\n" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_every_option_has_help_and_is_documented(command: str, parameter: str) -> None:
    (found,) = [item for item in ROOT.commands[command].params if item.name == parameter]
    assert getattr(found, "help", None), f"{command} {parameter} has no help"
    section = DOCS.read_text(encoding="utf-8").partition(f"\n## undark {command}\n")[2]
    section = section.partition("\n## ")[0]
    if found.param_type_name == "option":
        shown = max(found.opts, key=len)
        assert f"`{shown}" in section or f"{shown}`" in section, f"{shown} is not in docs/cli.md"
    else:
        assert str(found.metavar).strip("[]") in section


def test_the_docs_name_no_command_that_is_not_there() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    named = [line.removeprefix("## undark ") for line in lines if line.startswith("## undark ")]
    assert sorted(named) == COMMANDS


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_docs_name_no_option_that_is_not_there(name: str) -> None:
    section = DOCS.read_text(encoding="utf-8").partition(f"\n## undark {name}\n")[2]
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `-")]
    known = {option for item in ROOT.commands[name].params for option in item.opts}
    for row in rows:
        named = [part.split()[0] for part in row.split("|")[1].split("`")[1::2]]
        assert set(named) <= known, row
