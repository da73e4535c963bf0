"""What a user does with the page."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_DROP = """([target, files]) => {
  const data = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name));
  }
  for (const type of ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(target).dispatchEvent(event);
  }
}"""
_PASTE = """(text) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], "image.jpg", { type: "image/jpeg" }));
  dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
}"""


def _text(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def drop(page: Page, *files: Path) -> None:
    """Drop files on the page."""
    page.wait_for_selector(".drop-zone, .work")
    page.evaluate(_DROP, ["body", [[path.name, _text(path)] for path in files]])


def paste(page: Page, file: Path) -> None:
    """Paste a photo, as of a screenshot."""
    page.evaluate(_PASTE, _text(file))


def choose(page: Page, *files: Path) -> None:
    """Choose files by the browser's dialog."""
    page.set_input_files(".choose-files", list(files))


def settle(page: Page) -> None:
    """Wait until the preview shows what is asked for."""
    page.wait_for_selector(".layer.after img")
    page.wait_for_selector(".viewer[aria-busy=false]")


def slide(page: Page, name: str, value: float) -> None:
    """Set a slider, and wait for the preview of it."""
    page.fill(f"#control-{name}", str(value))
    settle(page)


def shown(page: Page) -> str:
    """The address of the picture that is shown as brought to light."""
    address = page.get_attribute(".layer.after img", "src")
    assert address is not None
    return address


def names(page: Page) -> list[str]:
    """The pictures of the gallery."""
    return page.locator(".thumb .name").all_inner_texts()


def select(page: Page, name: str) -> None:
    """Show a picture of the gallery."""
    page.locator(".thumb", has_text=name).locator(".face").click()


def download(page: Page, folder: Path, button: str = ".final .primary") -> Path:
    """Press a button that downloads something, and give where it was saved."""
    with page.expect_download(timeout=60_000) as waiting:
        page.click(button)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def run_undark(*words: str, cwd: Path) -> str:
    """The command line, as a user runs it; gives what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "undark", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
