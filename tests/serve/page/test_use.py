"""The page at a real server, by what a user does and gets."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hands import choose, download, drop, names, paste, run_undark, select, settle, shown, slide
from proxy import proxied

import undark
from undark.io.record import Record, find_record

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

# Each test starts a page in a browser, and waits for what a server makes.
pytestmark = pytest.mark.slow

Visit = Callable[..., "Page"]
TOKEN = "a-token-of-twenty-letters"


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_drop_slide_and_download(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url)
    drop(page, nights / "it's night.jpg")
    settle(page)
    first, levels = shown(page), page.inner_text(".histogram figcaption")
    slide(page, "exposure", 1)
    assert shown(page) != first
    page.locator(".histogram figcaption", has_not_text=levels).wait_for()
    result = download(page, tmp_path)
    assert result.name == "it's night.undark.jpg"
    wanted = undark.enhance(nights / "it's night.jpg", exposure=1.0)
    found = undark.read_photo(result)
    assert found.pixels.shape == wanted.pixels.shape
    assert found.pixels.mean() == pytest.approx(wanted.pixels.mean(), abs=1)


def _by_command(folder: Path, photo: Path, *more: str) -> bytes:
    """What the command line makes of a copy of a photo in a new folder."""
    folder.mkdir()
    shutil.copy(photo, folder)
    printed = run_undark("enhance", photo.name, *more, cwd=folder)
    return (folder / printed.strip()).read_bytes()


def test_the_command_does_the_same(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url, permissions=["clipboard-read", "clipboard-write"])
    photo = nights / "it's night.jpg"
    choose(page, photo)
    settle(page)
    for control, value in (("exposure", 0.5), ("denoise", 0.25), ("strength", 0.9)):
        slide(page, control, value)
    page.click("text=Copy as command")
    page.locator(".toast", has_text="copied").wait_for()
    words = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert words[:3] == ["undark", "enhance", photo.name]
    made = _by_command(tmp_path / "command", photo, *words[3:])
    assert made == download(page, tmp_path).read_bytes()


def test_a_recipe_is_saved_and_loaded(
    visit: Visit, server: Any, nights: Path, tmp_path: Path
) -> None:
    page = visit(server.url)
    photo = nights / "window.jpg"
    choose(page, photo)
    settle(page)
    slide(page, "exposure", 0.5)
    slide(page, "denoise", 0.25)
    recipe = download(page, tmp_path, "text=Save recipe")
    assert recipe.name == "window.recipe.json"
    result = download(page, tmp_path)
    saved, record = json.loads(recipe.read_text("utf-8")), find_record(result)
    assert record is not None
    made = record.as_dict()
    for name in ("schema", "undark", "model", "adjust", "quality", "strip"):
        assert saved[name] == made[name]
    assert list(saved) == list(made)

    page.click("text=Reset")
    assert page.input_value("#control-exposure") == "0"
    page.set_input_files("#recipe-file", recipe)
    page.locator(".toast", has_text="The recipe is loaded").wait_for()
    assert page.input_value("#control-exposure") == "0.5"
    assert page.input_value("#control-denoise") == "0.25"

    if not hasattr(Record, "from_dict"):
        pytest.skip("this version's --like takes no recipe files")
    made = _by_command(tmp_path / "recipe", photo, "--like", str(recipe))
    assert made == result.read_bytes()


@pytest.mark.parametrize(
    "recipe",
    [
        ("{", "no recipe"),
        ('{"schema": 7, "model": {"name": "relight"}}', "another version"),
        ('{"schema": 1, "model": {"name": "gone"}}', "gone"),
        ('{"schema": 1, "model": {"name": "relight", "sha256": "00"}}', "other weights"),
        ('{"schema": 1, "model": {"name": "relight"}, "adjust": {"exposure": 9}}', "no recipe"),
    ],
)
def test_a_recipe_that_cannot_be_used_says_why(
    visit: Visit, server: Any, nights: Path, tmp_path: Path, recipe: tuple[str, str]
) -> None:
    content, line = recipe
    page = visit(server.url)
    choose(page, nights / "window.jpg")
    settle(page)
    (tmp_path / "recipe.json").write_text(content, encoding="utf-8")
    page.set_input_files("#recipe-file", tmp_path / "recipe.json")
    page.locator(".toast.bad", has_text=line).wait_for()
    assert page.input_value("#control-exposure") == "0"


def test_a_bad_file_says_its_line_and_leaves_the_others_alone(
    visit: Visit, server: Any, nights: Path
) -> None:
    page = visit(server.url)
    drop(page, nights / "bad.jpg", nights / "window.jpg")
    page.locator(".thumb.bad .status", has_text="bad.jpg").wait_for()
    select(page, "window.jpg")
    settle(page)
    assert page.locator(".thumb.bad").count() == 1


def test_a_folder_is_searched(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("window.jpg", "notes.txt"):
        shutil.copy(nights / name, tmp_path / "in")
    page = visit(server.url)
    page.set_input_files(".choose-folder", tmp_path)
    page.locator(".toast", has_text="1 other file was left out").wait_for()
    assert names(page) == ["window.jpg"]


def test_paste(visit: Visit, server: Any, nights: Path) -> None:
    page = visit(server.url)
    page.wait_for_selector(".drop-zone")
    paste(page, nights / "window.jpg")
    settle(page)
    assert names(page) == ["image.jpg"]


def test_depth_and_alpha_are_told_and_kept(
    visit: Visit, server: Any, nights: Path, tmp_path: Path
) -> None:
    page = visit(server.url)
    choose(page, nights / "cut out.png")
    settle(page)
    assert "16 bits · transparent" in page.inner_text(".details")
    assert page.locator(".picture.checkered").count() == 2
    found = undark.read_photo(download(page, tmp_path))
    source = undark.read_photo(nights / "cut out.png")
    assert found.bit_depth == 16
    assert np.array_equal(found.alpha, source.alpha)


def test_format_and_metadata(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url)
    choose(page, nights / "window.jpg")
    settle(page)
    page.select_option("#format", "PNG")
    assert page.locator("#quality").count() == 0
    page.uncheck(".check input")
    result = download(page, tmp_path)
    assert undark.read_photo(result).format == "PNG"
    assert b"urn:undark:record" not in result.read_bytes()


def test_all_at_once(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url)
    choose(page, nights / "window.jpg", nights / "bad.jpg", nights / "cut out.png")
    settle(page)
    page.click("text=All >> nth=0")
    page.check("input[name=scope] >> nth=1", force=True)
    slide(page, "exposure", 1)
    select(page, "cut out.png")
    settle(page)
    assert page.input_value("#control-exposure") == "1"
    archive = download(page, tmp_path, "text=Download all (2)")
    with zipfile.ZipFile(archive) as zipped:
        assert zipped.namelist() == ["window.undark.jpg", "cut out.undark.png"]
        assert zipped.testzip() is None


def test_outdated_previews_are_not_waited_for(visit: Visit, server: Any, nights: Path) -> None:
    page = visit(server.url)
    choose(page, nights / "large.jpg")
    settle(page)
    flying: set[Request] = set()
    most = 0
    asked: list[str] = []

    def begin(request: Request) -> None:
        nonlocal most
        if "/preview?model=" in request.url:
            flying.add(request)
            most = max(most, len(flying))
            asked.append(request.url)

    def end(request: Request) -> None:
        flying.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    for step in range(40):
        page.fill("#control-exposure", str(step / 20))
    settle(page)
    assert "exposure=1.95" in asked[-1]
    # The browser may tell of an aborted one after it tells of its successor.
    assert most <= 2
    assert len(set(asked)) < 40


def test_zoom_shows_the_photo_at_full_size(visit: Visit, server: Any, nights: Path) -> None:
    page = visit(server.url)
    parts: list[str] = []
    page.on("request", lambda request: parts.append(request.url) if "&w=" in request.url else None)
    choose(page, nights / "large.jpg")
    settle(page)
    page.click(".zoom button >> nth=-1")
    page.wait_for_selector(".layer.after img:nth-child(2)")
    settle(page)
    assert page.inner_text(".percent") == "100 %"
    left, whole = (
        page.evaluate(f"getComputedStyle(document.querySelector('.picture')).{side}")
        for side in ("left", "width")
    )
    assert whole == "2400px"
    # Dragged, it moves, and what comes into view is asked for.
    box = page.locator(".stage").bounding_box()
    assert box is not None
    count = len(parts)
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 60, steps=4)
    page.mouse.up()
    assert page.evaluate("getComputedStyle(document.querySelector('.picture')).left") != left
    page.wait_for_timeout(300)
    settle(page)
    assert len(parts) > count
    page.keyboard.press("0")
    page.click("text=Fit")
    assert page.get_attribute("text=Fit", "aria-pressed") == "true"


def test_cancel_and_again(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url)
    choose(page, nights / "large.jpg")
    settle(page)
    page.click(".final .primary")
    page.click(".making button")
    page.locator(".thumb .status", has_text="Cancelled").wait_for()
    assert download(page, tmp_path).name == "large.undark.jpg"
    page.locator(".thumb .status", has_text="Done").wait_for()


def test_a_reload_in_the_middle(visit: Visit, server: Any, nights: Path, tmp_path: Path) -> None:
    page = visit(server.url)
    choose(page, nights / "large.jpg", nights / "window.jpg", nights / "bad.jpg")
    page.wait_for_selector(".thumb.bad")
    settle(page)
    slide(page, "exposure", 0.5)
    page.click("text=Download all (2)")
    page.wait_for_selector(".batch progress")
    page.reload()
    page.wait_for_selector(".batch progress")
    assert names(page) == ["large.jpg", "window.jpg", "bad.jpg"]
    assert page.input_value("#control-exposure") == "0.5"
    page.wait_for_selector(".batch progress", state="detached", timeout=60_000)
    assert page.locator(".badge.ok").count() == 2
    archive = download(page, tmp_path, "text=Download all (2)")
    with zipfile.ZipFile(archive) as zipped:
        assert len(zipped.namelist()) == 2


def test_two_tabs_do_not_disturb_each_other(visit: Visit, server: Any, nights: Path) -> None:
    first = visit(server.url)
    choose(first, nights / "window.jpg")
    settle(first)
    second = visit(server.url, beside=first)
    assert second.locator(".drop-zone").count() == 1
    choose(second, nights / "it's night.jpg")
    settle(second)
    second.click("text=Remove all")
    # A copy of the tab starts with what the first one keeps, and begins anew.
    with first.expect_popup() as opened:
        first.evaluate("window.open(location.href)")
    third = opened.value
    assert third.evaluate("sessionStorage.getItem('undark.batch')")
    third.wait_for_selector(".drop-zone")
    third.wait_for_timeout(500)
    assert third.locator(".drop-zone").count() == 1
    first.reload()
    settle(first)
    assert names(first) == ["window.jpg"]


def test_what_the_server_forgot_is_sent_again(
    visit: Visit, server: Any, nights: Path, tmp_path: Path
) -> None:
    page = visit(server.url)
    choose(page, nights / "window.jpg")
    settle(page)
    kept = json.loads(page.evaluate("sessionStorage.getItem('undark.batch')"))
    assert server.client.delete(f"v1/uploads/{kept['items'][0]['upload']}").status_code == 204
    assert download(page, tmp_path).name == "window.undark.jpg"


def test_the_token_is_asked_for(visit: Visit, start: Callable[..., Any], nights: Path) -> None:
    page = visit(start("--token", TOKEN).url)
    page.fill("#token", "something else")
    page.keyboard.press("Enter")
    page.locator(".form-error", has_text="not the token").wait_for()
    page.fill("#token", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="hidden")
    choose(page, nights / "window.jpg")
    settle(page)
    page.reload()
    settle(page)


def test_video(visit: Visit, server: Any, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the extra [video] is not installed")
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(25):
            pixels = np.full((48, 64, 3), 10 + number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    page = visit(server.url)
    choose(page, tmp_path / "clip.mp4")
    settle(page)
    moments: list[str] = []
    page.on("request", lambda request: moments.append(request.url))
    page.fill("#moment", "0.8")
    settle(page)
    assert any("at=0.8" in url for url in moments)
    assert page.input_value("#model") == "relight"
    assert page.locator("#format").count() == 0
    # Noise is cleaned off unless one says otherwise, as by the command line.
    assert page.input_value("#control-denoise") == "1"
    made = download(page, tmp_path).read_bytes()
    run_undark("enhance", "clip.mp4", "-o", "by-command.mp4", cwd=tmp_path)
    assert made == (tmp_path / "by-command.mp4").read_bytes()
    page.select_option("#video-quality", "best")
    settle(page)
    made = download(page, tmp_path).read_bytes()
    run_undark("enhance", "clip.mp4", "-o", "best.mp4", "--quality", "best", cwd=tmp_path)
    assert made == (tmp_path / "best.mp4").read_bytes()
    page.select_option("#video-quality", "fast")
    settle(page)
    assert any("video_quality=fast" in url for url in moments)
    assert page.locator("#control-denoise").count() == 0
    page.reload()
    settle(page)
    assert page.input_value("#video-quality") == "fast"


@pytest.mark.parametrize("strips", [True, False])
def test_under_a_path_of_a_proxy(
    visit: Visit, start: Callable[..., Any], nights: Path, tmp_path: Path, *, strips: bool
) -> None:
    port = free_port()
    found = start("--public-url", f"http://127.0.0.1:{port}/a/b/", "--token", TOKEN)
    with proxied(port, int(found.url.split(":")[2].split("/")[0]), "/a/b/", strips=strips) as url:
        page = visit(url)
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog", state="hidden")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        choose(page, nights / "window.jpg", nights / "it's night.jpg")
        settle(page)
        slide(page, "exposure", 0.5)
        made = download(page, tmp_path).read_bytes()
        assert made == _by_command(tmp_path / "command", nights / "window.jpg", "--exposure", "0.5")
        with zipfile.ZipFile(download(page, tmp_path, "text=Download all (2)")) as zipped:
            assert len(zipped.namelist()) == 2
        assert any(address.endswith("/events") for address in asked)
        page.reload()
        settle(page)
        assert names(page) == ["window.jpg", "it's night.jpg"]


def test_a_server_that_is_started_anew_is_given_all_again(
    visit: Visit, start: Callable[..., Any], nights: Path, tmp_path: Path
) -> None:
    port = free_port()
    first = start("--port", port)
    page = visit(first.url)
    choose(page, nights / "large.jpg")
    settle(page)
    with page.expect_download(timeout=60_000) as waiting:
        page.click(".final .primary")
        page.wait_for_selector(".making")
        first.stop(signal.SIGKILL)
        start("--port", port)
    assert waiting.value.suggested_filename == "large.undark.jpg"
    made = tmp_path / "made.jpg"
    waiting.value.save_as(made)
    assert made.read_bytes() == _by_command(tmp_path / "command", nights / "large.jpg")
    slide(page, "exposure", 0.5)
    assert page.locator(".toast.bad").count() == 0


def test_what_cannot_be_shown_leaves_the_batch_in_its_place(
    visit: Visit, server: Any, nights: Path
) -> None:
    page = visit(server.url)
    choose(page, nights / "window.jpg", nights / "bad.jpg")
    settle(page)
    page.wait_for_selector(".thumb.bad")
    place = page.locator(".gallery").bounding_box()
    select(page, "bad.jpg")
    page.wait_for_selector(".pending")
    assert page.locator(".gallery").bounding_box() == place
