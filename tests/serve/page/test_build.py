"""The page's built files are those of its sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from sources import ROOT, Sources

# npm unpacks the compilers before anything can be built.
pytestmark = pytest.mark.slow

BUILT = ROOT / "src" / "undark" / "serve" / "static"


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_built_files_are_those_of_the_sources(sources: Sources, tmp_path: Path) -> None:
    done = sources.npm("run", "build", "--", "--outDir", str(tmp_path / "built"))
    assert done.returncode == 0, done.stderr
    made, kept = _files(tmp_path / "built"), _files(BUILT)
    told = "the page has changed; run `npm run build` in web/ and commit src/undark/serve/static"
    assert sorted(made) == sorted(kept), told
    assert made == kept, told


@pytest.mark.parametrize("check", ["lint", "types"])
def test_checks(sources: Sources, check: str) -> None:
    done = sources.npm("run", check)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_comes_from_elsewhere() -> None:
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    for name, content in _files(BUILT).items():
        if name.endswith((".html", ".css")):
            assert b"http" not in content.replace(b"http-equiv", b""), name
    assert 'src="./assets/' in page
    assert "<style" not in page
    assert " style=" not in page
