"""Errors of io say what is wrong and name an argument, never an option of the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from undark.errors import OutputError, UndarkError
from undark.io.atomic import write_atomically
from undark.io.photo import encode_photo
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.video.sinks import open_sink
from undark.io.walk import plan
from undark.photo import Photo

CLEAR = Photo(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
WIDE = Photo(np.zeros((1, 16384, 3), np.uint8))
OPTION = re.compile(r"(^|[\s(])-{1,2}[a-z]")


@pytest.mark.parametrize(
    ("act", "argument"),
    [
        (lambda: encode_photo(CLEAR, format="jpg"), "format"),
        (lambda: encode_photo(WIDE, format="webp"), "format"),
        (lambda: encode_photo(CLEAR, quality=0), "quality"),
        (lambda: write_atomically(Path("a.png"), b"", overwrite=False), "overwrite"),
        (lambda: plan(["sub"]), "recursive"),
        (lambda: plan(["a.png", "b.png"], output="c.png"), "output"),
        (lambda: plan(["a.png"], output="c.png", format="jpg"), "format"),
        (lambda: plan(["a.png"], output="a.png"), "in_place"),
        (lambda: plan(["a.png"], output="c", in_place=True), "in_place"),
        (lambda: plan(["sub/deep", "."], output="c", recursive=True), "output"),
        (lambda: Transcoding(begin=-1.0), "begin"),
        (lambda: Transcoding(begin=2.0, end=1.0), "begin"),
        (lambda: Transcoding(preview="top"), "preview"),  # type: ignore[arg-type]
        (lambda: Transcoding(fps=0.0), "fps"),
        (lambda: Coding("h264", crf=99), "crf"),
    ],
)
def test_an_error_names_the_argument_that_would_have_to_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], argument: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/deep/a.png"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UndarkError) as caught:
        act()
    assert caught.value.argument == argument
    assert not OPTION.search(str(caught.value)), str(caught.value)


def test_a_place_that_may_not_be_written_names_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(OutputError, match=r"choose another folder$") as caught:
        write_atomically(tmp_path / "x.png", b"data")
    assert caught.value.argument == "output"


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 can be told to be missing")
def test_a_missing_display_names_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "")
    with pytest.raises(OutputError, match="pipe") as caught:
        open_sink(None, "y4m", Fraction(25))
    assert caught.value.argument == "target"
    assert not OPTION.search(str(caught.value))
