"""The Containerfile: what it copies, runs and promises, and where buildah is, the image itself."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx
import numpy as np
import pytest
import typer
from PIL import Image

from undark.cli.app import app

pytest.importorskip("fastapi", reason="the extra [serve] is not installed")

ROOT = Path(__file__).parents[2]
BASE = "UNDARK_TEST_BASE_IMAGE"


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions and their arguments, in order."""
    text = (ROOT / "Containerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in text.splitlines() if line.strip())
    return [(word.upper(), " ".join(rest.split())) for word, rest in pairs]


def last(word: str) -> str:
    """What the last stage says of one thing."""
    stage: list[tuple[str, str]] = []
    for item in instructions():
        stage = [] if item[0] == "FROM" else [*stage, item]
    (found,) = [rest for name, rest in stage if name == word]
    return found


def ignored(path: str) -> bool:
    """Whether .containerignore keeps a file out; the last pattern that matches decides."""
    verdict = False
    for line in (ROOT / ".containerignore").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        first = path.partition("/")[0]
        matches = pattern == "*" or pattern in (path, first) or f"/{pattern[3:]}/" in f"/{path}/"
        verdict = not line.startswith("!") if matches else verdict
    return verdict


def test_what_it_copies_is_there_and_nothing_else_is_sent() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY"]
    sources = [name for names in copied if not names[0].startswith("--") for name in names]
    assert sources
    for name in sources:
        assert (ROOT / name).exists(), name
        assert not ignored(name), name
    for name in (".git", "tests", "runs", "docs", "src/undark/__pycache__/x.pyc", "night.jpg"):
        assert ignored(name), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [project["readme"], *project["license-files"], "pyproject.toml", "src"]
    assert set(needed) <= set(sources)


def test_what_it_installs_is_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (extras,) = [
        re.search(r"\.\[([\w,]+)\]", rest) for word, rest in instructions() if word == "RUN"
    ]
    assert extras is not None
    assert "serve" in extras[1].split(",")
    assert set(extras[1].split(",")) <= project["optional-dependencies"].keys()


def test_it_runs_the_server_as_nobody() -> None:
    user, group = map(int, last("USER").split(":"))
    assert user > 1000
    assert group > 1000
    words = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    root = typer.main.get_command(app)
    assert isinstance(root, click.Group | typer.core.TyperGroup)
    assert words[0] == "undark"
    context = root.commands[words[1]].make_context(words[1], words[2:])
    assert context.params["host"] == "0.0.0.0"
    assert str(context.params["port"]) == last("EXPOSE")
    context.close()


def test_its_health_check_tells_life_from_death(server: Any) -> None:
    form = last("HEALTHCHECK").partition("CMD ")[2]
    program, *arguments = json.loads(form)
    assert program == "python3"

    def checked(port: int) -> int:
        words = [word.replace("8765", str(port)) for word in arguments]
        return subprocess.run(
            [sys.executable, *words], check=False, capture_output=True, timeout=30
        ).returncode

    assert checked(int(server.url.rstrip("/").rpartition(":")[2])) == 0
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert checked(closed.getsockname()[1]) != 0


def test_the_documented_commands_name_what_undark_knows() -> None:
    text = (ROOT / "docs" / "serve.md").read_text("utf-8")
    lines = re.findall(r"^podman run .* undark ?(.*)$", text, re.MULTILINE)
    assert len(lines) == 3
    root = typer.main.get_command(app)
    assert isinstance(root, click.Group | typer.core.TyperGroup)
    for line in filter(None, lines):
        name, *rest = shlex.split(line)
        root.commands[name].make_context(name, rest).close()


# Slow: it installs all packages into an image.
@pytest.mark.slow
def test_the_image_is_built_and_serves(tmp_path: Path, dark_photo: Callable[..., Path]) -> None:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    base = os.environ.get(BASE)
    if not base:
        pytest.skip(f"{BASE} names no image with Python to build on")
    image = "localhost/undark-test"

    def buildah(*words: str) -> str:
        done = subprocess.run(
            ["buildah", *words], cwd=ROOT, check=False, capture_output=True, text=True, timeout=1800
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    more = shlex.split(os.environ.get(f"{BASE}_OPTIONS", ""))
    buildah("build", "--build-arg", f"PYTHON={base}", *more, "--tag", image, ".")
    found = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    assert found["User"] == "10001:10001"
    container = buildah("from", image)
    try:
        assert buildah("run", container, "--", "id", "-u") == "10001"
        done = subprocess.run(
            ["buildah", "run", container, "--", "undark", "enhance", "-"],
            input=dark_photo(tmp_path / "night.png").read_bytes(),
            check=True,
            capture_output=True,
            timeout=120,
        )
        with Image.open(io.BytesIO(done.stdout)) as bright:
            assert np.asarray(bright).mean() > 30
        _check_served(container)
    finally:
        buildah("rm", container)
        buildah("rmi", image)


def _check_served(container: str) -> None:
    """See that a server starts in the container, and answers."""
    command = ["buildah", "run", "--network", "host", container, "--", "undark", "serve"]
    with subprocess.Popen(
        [*command, "--port", "0", "--no-open"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}healthz", timeout=30).status_code == 200
        finally:
            process.terminate()
            process.wait(60)
