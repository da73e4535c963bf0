"""`undark serve --watch`: a folder beside the server, as a process."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from undark.cli.app import app
from undark.io.record import find_record
from undark.models import resolve

Write = Callable[..., Path]


def wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another there")
def test_what_lands_comes_out_while_the_server_answers(
    start: Callable[..., Any], tmp_path: Path, dark_photo: Write
) -> None:
    recipe = tmp_path / "night.json"
    model = {"name": "curve", "sha256": resolve("curve").card.sha256}
    recipe.write_text(json.dumps({"schema": 1, "model": model, "adjust": {"exposure": 0.5}}))
    source, target = tmp_path / "in", tmp_path / "out"
    dark_photo(source / "a.png")
    options = ("--watch", source, target, "--watch-like", recipe, "--watch-quiet", "0.3s")
    server = start(*options)
    wait((target / "a.png").exists)
    assert server.client.get("healthz").status_code == 200
    dark_photo(source / "deep" / "b.jpg")
    wait((target / "deep" / "b.jpg").exists)
    assert server.stop(signal.SIGTERM) == 0
    told = server.process.stdout.read()
    assert told.splitlines() == [str(target / "a.png"), str(target / "deep" / "b.jpg")]
    record = find_record(target / "a.png")
    assert record is not None
    assert (record.model, record.adjust.exposure) == ("curve", 0.5)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--watch", "none", "out"], "none: there is no such folder to watch (--watch)"),
        (["--watch", "in", "in/out"], "neither in the watched folder nor around it"),
        (["--watch", "in", "out", "--watch-quiet", "soon"], "--watch-quiet takes"),
        (["--watch", "in", "out", "--watch-like", "none.json"], "none.json"),
    ],
)
def test_what_cannot_be_watched_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    done = CliRunner().invoke(app, ["serve", "--port", "0", "--no-open", *words])
    assert done.exit_code == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
