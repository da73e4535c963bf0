"""The documents name every command, option and public name, and nothing that is not there."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest
import typer

import undark
from cli_commands import commands_in, split
from undark.cli.app import app

ROOT = typer.main.get_command(app)
assert isinstance(ROOT, click.Group | typer.core.TyperGroup)
FOUND = dict(commands_in(ROOT))
COMMANDS = sorted(FOUND)
HOME = Path(__file__).parents[2]
DOCS = HOME / "docs" / "cli.md"
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]


PARAMETERS = [(name, str(item.name)) for name in COMMANDS for item in FOUND[name].params]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_documented(name: str) -> None:
    assert FOUND[name].help
    assert f"\n## undark {name}\n" in DOCS.read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_every_option_has_help_and_is_documented(command: str, parameter: str) -> None:
    (found,) = [item for item in FOUND[command].params if item.name == parameter]
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


@pytest.mark.parametrize("name", COMMANDS)
def test_the_docs_name_no_option_that_is_not_there(name: str) -> None:
    section = DOCS.read_text(encoding="utf-8").partition(f"\n## undark {name}\n")[2]
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `-")]
    known = {o for p in FOUND[name].params for o in (*p.opts, *p.secondary_opts)}
    for row in rows:
        named = [part.split()[0] for part in row.split("|")[1].split("`")[1::2]]
        assert set(named) <= known, row


def fences(page: Path) -> list[tuple[str, str]]:
    """Language and text of each code block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def without_fences(page: Path) -> str:
    """The text of a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def in_fences(page: Path) -> list[str]:
    """The command lines in the code blocks of a page, without what surrounds them in a shell."""
    found: list[str] = []
    for language, text in fences(page):
        if language not in ("", "sh", "console"):
            continue
        for line in text.splitlines():
            parts = re.split(r"&&|(?<!\S)[|<>](?!\S)", line.removeprefix("$ "))
            found += [part.strip() for part in parts if part.strip().startswith("undark ")]
    return found


def in_text(page: Path) -> list[str]:
    """The command lines in the text of a page, which may leave out what does not matter."""
    found = re.findall(r"`(undark [^`]*)`", without_fences(page))
    return [" ".join(line.split()) for line in found]


FENCED = [(page.name, line) for page in PAGES for line in in_fences(page)]
MENTIONED = [(page.name, line) for page in PAGES for line in in_text(page)]


@pytest.mark.parametrize(("page", "line"), FENCED)
def test_a_command_line_in_a_code_block_can_be_parsed(page: str, line: str) -> None:
    name, arguments = split(shlex.split(line, comments=True)[1:], FOUND)
    if name.startswith("-"):
        assert name in {option for item in ROOT.params for option in item.opts} | {"--help"}, page
        return
    FOUND[name].make_context(name, arguments).close()


@pytest.mark.parametrize(("page", "line"), MENTIONED)
def test_a_command_line_in_the_text_names_what_is_there(page: str, line: str) -> None:
    name, arguments = split(shlex.split(line)[1:], FOUND)
    known = {option for item in ROOT.params for option in item.opts} | {"--help"}
    if name in ROOT.commands and name not in FOUND:  # a group, in general
        return
    if name in FOUND:
        known |= {option for item in FOUND[name].params for option in item.opts}
    else:
        assert name in known | {"COMMAND"}, page
    options = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
    assert options <= known or name == "COMMAND", page


def test_command_lines_are_found() -> None:
    assert len(FENCED) > 40
    assert {"README.md", "cli.md", "video.md", "training.md"} <= {page for page, _ in FENCED}
    assert len(MENTIONED) > 10


@pytest.mark.parametrize("name", undark.__all__)
def test_every_public_name_is_in_the_api_page(name: str) -> None:
    assert f"undark.{name}" in (HOME / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_examples_of_the_api_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(HOME / "docs" / "api.md"), module_relative=False)
    assert not failed, capsys.readouterr().out
    assert tried > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_python_examples_import_is_there(page: Path) -> None:
    for language, text in fences(page):
        if language != "python" or ">>>" in text or text.startswith("# undark/"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("undark"):
                module = import_module(str(node.module))
                assert all(hasattr(module, item.name) for item in node.names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_names_of_files_lead_somewhere(page: Path) -> None:
    text = without_fences(page)
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        assert link.startswith("http") or (page.parent / link).exists(), link
    for name in re.findall(r"`((?:src/undark|tests|benchmarks|recipes)/[^` ]*)`", text):
        assert (HOME / name).exists(), name
