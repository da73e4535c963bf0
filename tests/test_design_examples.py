"""The parts that docs/design.md adds: each is added to a copy of the package, and tried there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import undark

PAGE = Path(__file__).parents[1] / "docs" / "design.md"
PACKAGE = Path(undark.__file__).parent
SECTIONS = {
    title: text
    for title, _, text in (
        part.partition("\n") for part in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]
    )
}
NEEDS = {"A runtime": "onnx", "A learning method": "lightning"}


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a section that are in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def place(block: str, folder: Path) -> tuple[Path, str]:
    """The file that a block's first line names, in a copy of the package, and the rest."""
    first, _, rest = block.partition("\n")
    return folder / first.removeprefix("# "), rest


def changed(text: str, change: str) -> str:
    """A file's text after a change: lines that stay, that go (-) and that come (+)."""
    for part in re.findall(r"(?:^ .*\n|^-.*\n)(?:^\+.*\n)+|(?:^-.*\n)+", change, re.MULTILINE):
        lines = part.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


# A learning method is trained and exported, in a process that imports PyTorch.
SLOW = {"A learning method": pytest.mark.slow}


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=SLOW.get(title, ())) for title in SECTIONS]
)
def test_a_part_is_one_file_and_its_line(title: str, tmp_path: Path) -> None:
    if title in NEEDS:
        pytest.importorskip(NEEDS[title])
    copy = tmp_path / "undark"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    (copy / "models" / "weights").symlink_to(PACKAGE / "models" / "weights")
    for block in blocks(SECTIONS[title], "python"):
        path, text = place(block, tmp_path)
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
    for block in blocks(SECTIONS[title], "diff"):
        path, change = place(block, tmp_path)
        assert sum(line.startswith("+") for line in change.splitlines()) <= 3
        path.write_text(changed(path.read_text(encoding="utf-8"), change), encoding="utf-8")
    tried = "".join(blocks(SECTIONS[title], "pycon"))
    assert tried
    (tmp_path / "tried.txt").write_text(tried, encoding="utf-8")
    code = "import doctest, sys; sys.exit(doctest.testfile('tried.txt', False).failed)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_kind_of_part_is_shown() -> None:
    kinds = ("mode", "photo format", "runtime", "learning method", "metric, a baseline")
    assert set(SECTIONS) == {f"A {kind}" for kind in kinds}
