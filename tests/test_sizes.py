"""Files and functions that a reader can hold in mind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import undark

ROOT = Path(undark.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_more_than_400_lines_and_no_function_more_than_60(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # Arguments and docstring do not count: a command declares all of its options there.
            first = node.body[min(1 if ast.get_docstring(node) else 0, len(node.body) - 1)]
            assert (node.end_lineno or 0) - first.lineno < 60, node.name
