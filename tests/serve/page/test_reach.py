"""The page for everybody: by keyboard, by finger, by ear, in other words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hands import choose, names, settle, shown
from sources import WEB, Sources

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Most start a page in a browser, and wait for what a server makes.
pytestmark = pytest.mark.slow

Visit = Callable[..., "Page"]
TOKEN = "a-token-of-twenty-letters"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it is reached."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


def test_keyboard_alone(visit: Visit, server: Any, nights: Path) -> None:
    page = visit(server.url)
    files = [nights / "window.jpg", nights / "it's night.jpg"]
    page.on("filechooser", lambda chooser: chooser.set_files(files))
    page.wait_for_selector(".drop-zone")
    tab_to(page, ".drop-zone .primary")
    page.keyboard.press("Enter")
    settle(page)

    tab_to(page, ".stage")
    page.keyboard.press("+")
    assert page.get_attribute("text=Fit", "aria-pressed") == "false"
    page.keyboard.press("0")
    assert page.get_attribute("text=Fit", "aria-pressed") == "true"
    tab_to(page, ".divider")
    for key, value in (("ArrowRight", "52"), ("Home", "0"), ("End", "100")):
        page.keyboard.press(key)
        assert page.get_attribute(".divider", "aria-valuenow") == value
    old = shown(page)
    tab_to(page, "#control-exposure")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert shown(page) != old
    tab_to(page, ".face")
    page.keyboard.press("ArrowRight")
    page.locator(".details h2", has_text="it's night.jpg").wait_for()
    page.keyboard.press("Delete")
    page.locator(".details h2", has_text="window.jpg").wait_for()
    assert names(page) == ["window.jpg"]
    settle(page)
    tab_to(page, ".final .primary")
    with page.expect_download():
        page.keyboard.press("Enter")


def test_phone(visit: Visit, server: Any, nights: Path) -> None:
    # In German, whose words are long.
    page = visit(server.url, locale="de", **PHONE)
    page.wait_for_selector(".drop-zone")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    choose(page, nights / "window.jpg", nights / "it's night.jpg")
    settle(page)
    assert page.evaluate(fits)
    # The button is at hand without scrolling.
    box = page.locator(".final .primary").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 844
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    _drag(page, stage["x"] + 300, stage["x"] + 100, stage["y"] + 40)
    assert int(page.get_attribute(".divider", "aria-valuenow") or 100) < 40
    for button in page.locator("button:visible").all():
        size = button.bounding_box()
        assert size is None or min(size["width"], size["height"]) >= 24


def _drag(page: Page, start: float, end: float, y: float) -> None:
    """Draw a finger over the screen."""
    session = page.context.new_cdp_session(page)
    for kind, x in (("Start", start), ("Move", (start + end) / 2), ("Move", end), ("End", None)):
        points = [] if x is None else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})


@pytest.mark.parametrize("shape", ["light desk", "dark desk", "light phone", "dark phone"])
def test_axe_finds_nothing(
    visit: Visit, server: Any, nights: Path, sources: Sources, shape: str
) -> None:
    axe = (sources.folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    # What fades in would be measured half transparent.
    options = {
        "color_scheme": "dark" if "dark" in shape else "light",
        "reduced_motion": "reduce",
        **(PHONE if "phone" in shape else {}),
    }
    page = visit(server.url, **options)
    page.wait_for_selector(".drop-zone")
    page.evaluate(axe)
    assert _violations(page) == []
    choose(page, nights / "window.jpg", nights / "bad.jpg", nights / "cut out.png")
    page.wait_for_selector(".thumb.bad")
    settle(page)
    assert _violations(page) == []


def test_axe_finds_nothing_in_the_token_form(
    visit: Visit, start: Callable[..., Any], sources: Sources
) -> None:
    axe = (sources.folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    page = visit(start("--token", TOKEN).url)
    page.wait_for_selector("dialog[open]")
    page.evaluate(axe)
    assert _violations(page) == []


def _violations(page: Page) -> list[str]:
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{item['id']}: {node['html'][:120]} {node['failureSummary']}"
        for item in found
        for node in item["nodes"]
    ]


def test_theme_and_language_are_kept(visit: Visit, server: Any) -> None:
    page = visit(server.url, locale="de-AT", color_scheme="dark")
    page.locator("text=Dunkle Fotos oder Videos hier ablegen").wait_for()
    assert page.get_attribute("html", "lang") == "de"
    assert page.get_attribute("html", "data-theme") == "dark"
    page.click("header button")
    page.select_option("header select", "zh")
    page.reload()
    page.locator("text=把昏暗的照片或视频拖到这里").wait_for()
    assert page.get_attribute("html", "lang") == "zh"
    assert page.get_attribute("html", "data-theme") == "light"


def _words(language: str) -> dict[str, str]:
    path = WEB / "src" / "words" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", ["de", "zh"])
def test_every_language_is_complete(language: str) -> None:
    english, other = _words("en"), _words(language)
    assert list(english) == list(other)
    for key, text in english.items():
        assert other[key].strip(), key
        places = [sorted(re.findall(r"\{\w+\}", words)) for words in (text, other[key])]
        assert places[0] == places[1], key


def test_every_word_is_used() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for path in (WEB / "src").rglob("*.ts*") if path.is_file()
    )
    stems = {re.sub(r"_(one|other)$", "", key) for key in _words("en")}
    unused = {key for key in stems if f'"{key}"' not in code}
    # Those of controls and of qualities are put together from their names.
    assert all(key.startswith(("control_", "quality_")) for key in unused)
