"""The shared page in a browser: divider by mouse, touch and keyboard; without script; on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from undark.share import Comparison, write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Slow: a browser starts.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    pair = Comparison(folder / "a.png", folder / "b.png")
    Image.new("RGB", (400, 300), (0, 0, 60)).save(pair.before)
    Image.new("RGB", (400, 300), (250, 220, 180)).save(pair.after)
    write_page([pair, pair], folder / "p.html", title="Night")
    return (folder / "p.html").as_uri()


def opened(browser: Any, address: str, **options: Any) -> tuple[Any, list[str]]:
    """The page, and all that it asked for or complained of."""
    context = browser.new_context(viewport={"width": 900, "height": 700}, **options)
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith("data:") else told.append(asked.url)
    )
    page.goto(address)
    return page, told


def value(page: Any) -> int:
    return int(page.get_by_role("slider").first.get_attribute("aria-valuenow"))


def test_the_divider_follows_the_mouse_and_nothing_is_fetched(browser: Any, address: str) -> None:
    page, told = opened(browser, address)
    box = page.locator(".frame").first.bounding_box()
    assert value(page) == 50
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 90, steps=4)
    assert value(page) == 25
    page.mouse.move(box["x"] - 300, box["y"] - 50)
    page.mouse.up()
    assert value(page) == 0
    page.mouse.move(box["x"] + 100, box["y"] + 90)
    assert value(page) == 0, "let go is let go"
    assert int(page.get_by_role("slider").nth(1).get_attribute("aria-valuenow")) == 50
    assert told == [address]


def test_the_divider_follows_keys(browser: Any, address: str) -> None:
    page, told = opened(browser, address)
    page.keyboard.press("Tab")
    for key, wanted in (
        ("ArrowLeft", 49), ("ArrowRight", 50), ("Shift+ArrowRight", 60), ("PageUp", 70),
        ("End", 100), ("ArrowUp", 100), ("Home", 0), ("ArrowDown", 0), ("PageUp", 10),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert value(page) == wanted, key
    slider = page.get_by_role("slider", name="Divider between before and after").first
    assert slider.get_attribute("aria-valuetext") == "10 % before, 90 % after"
    assert told == [address]


def test_the_divider_follows_a_finger(browser: Any, address: str) -> None:
    page, _ = opened(browser, address, has_touch=True)
    box = page.locator(".frame").first.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + 60)
    assert value(page) == 80


def test_the_divider_uncovers(browser: Any, address: str) -> None:
    page, _ = opened(browser, address)
    box = page.locator(".frame").first.bounding_box()
    corner = {"x": box["x"], "y": box["y"] + 150, "width": box["width"], "height": 20}
    left, right = seen(page, corner)
    assert is_dark_to_light(left, right)
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    left, right = seen(page, corner)
    assert left[0] > 200


def is_dark_to_light(left: Any, right: Any) -> bool:
    return left[0] < 60 and right[0] > 200


def seen(page: Any, clip: dict[str, float]) -> tuple[Any, Any]:
    """The colours a tenth from the left and from the right of a region."""
    with Image.open(BytesIO(page.screenshot(clip=clip))) as image:
        rgb = image.convert("RGB")
        across, down = rgb.size
        return rgb.getpixel((across // 10, down // 2)), rgb.getpixel((across * 9 // 10, down // 2))


@pytest.mark.parametrize("way", ["no script", "paper"])
def test_without_script_and_on_paper_both_are_seen(browser: Any, address: str, way: str) -> None:
    page, _ = opened(browser, address, java_script_enabled=way == "paper")
    if way == "paper":
        page.emulate_media(media="print")
    boxes = [item.bounding_box() for item in page.locator("figure").first.locator("img").all()]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    box = page.locator(".frame").first.bounding_box()
    half = {"x": boxes[0]["x"], "y": box["y"] + 100, "height": 20}
    half["width"] = boxes[1]["x"] + boxes[1]["width"] - half["x"]
    left, right = seen(page, half)
    assert is_dark_to_light(left, right)
    assert page.locator(".divider:visible").count() == 0


def test_it_fits_a_phone_and_follows_the_theme(browser: Any, address: str) -> None:
    page, _ = opened(browser, address, color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(background) != dark
