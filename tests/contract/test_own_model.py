"""The example in the docstring of `undark.testing` runs, for somebody's model."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import undark.testing
from undark.models import resolve


def test_the_example_in_the_docstring_runs(tmp_path: Path):
    _, _, rest = (undark.testing.__doc__ or "").partition("::\n\n")
    example, _, _ = rest.partition("\nIt needs")
    (tmp_path / "test_night.py").write_text(textwrap.dedent(example), encoding="utf-8")
    source = resolve("curve").path
    for suffix in (".onnx", ".json"):
        shutil.copy(source.with_suffix(suffix), tmp_path / f"night{suffix}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "card or plain_onnx or twice", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
