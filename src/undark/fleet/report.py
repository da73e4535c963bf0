"""What a fleet has done, as one HTML page that opens offline: counts, errors, before and after."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path, PurePosixPath
from typing import Final

from undark.errors import UndarkError
from undark.evaluate.report.album import small
from undark.evaluate.report.sheet import figure, section, sheet
from undark.fleet.metrics import Means
from undark.fleet.opening import open_store
from undark.fleet.plan import Plan
from undark.fleet.receipts import Receipt
from undark.fleet.settings import Settings, find_run
from undark.fleet.sources import Sources
from undark.fleet.status import Status, status
from undark.io.photo import encode_photo, read_photo
from undark.io.video.containers import is_video_name
from undark.photo import Photo

__all__ = ["write_report"]

_SAMPLE: Final = 24
_NAMED: Final = 10
_SIDE: Final = 280


class _Sample:
    """A few of many receipts, each as likely (Vitter, algorithm R), from a fixed seed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen = 0
        self._random = random.Random(0)
        self.items: list[Receipt] = []

    def add(self, receipt: Receipt) -> None:
        self._seen += 1
        if len(self.items) < self._size:
            self.items.append(receipt)
        elif (place := self._random.randrange(self._seen)) < self._size:
            self.items[place] = receipt


def write_report(plan: Plan, path: Path, *, price: float | None = None) -> Status:
    """Write the report of a plan.

    Args:
        plan: The plan.
        path: The HTML file.
        price: What all machines together cost an hour.

    Returns:
        The status that it shows.

    Raises:
        OutputError: It cannot be written.
    """
    from undark.io.atomic import write_atomically

    shown = _Sample(_SAMPLE)
    failures: dict[str, list[Receipt]] = {}
    means = Means()

    def each(_: int, receipts: Iterable[Receipt]) -> None:
        for item in receipts:
            if not item.done:
                named = failures.setdefault(item.kind, [])
                if len(named) < _NAMED:
                    named.append(item)
            elif item.metrics:
                means.add(item.metrics)
            elif not is_video_name(PurePosixPath(item.output)):
                shown.add(item)

    found = status(plan, each)
    settings = find_run(plan)
    sections = [
        section("Counts", _counts(found, price)),
        section("Metrics", means.as_html()),
        section("Errors by kind", _errors(found, failures)),
        section("Before and after", _sheet(settings, shown.items), "Drawn at random."),
        section("How", _how(settings)),
    ]
    lead = f"{found.done} of {found.keys} done, {found.failed} failed, {found.pending} to do."
    write_atomically(path, sheet(plan.store.address, lead, sections).encode())
    return found


def _list(entries: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<dl>{items}</dl>"


def _counts(found: Status, price: float | None) -> str:
    entries = [
        ("Planned", f"{found.keys}"),
        ("Done", f"{found.done}, of which {found.copied} had the same bytes as another"),
        ("Failed", f"{found.failed}"),
        ("To do", f"{found.pending}"),
        ("Results", f"{found.bytes / 1e6:.1f} MB"),
        ("Work", f"{_hours(found.seconds)} of all processes together"),
        ("Rate", f"{found.rate:.2f} a second"),
    ]
    cost = None if price is None else found.cost(price)
    if cost is not None:
        entries.append(("Cost of a thousand", f"{cost:.4g}"))
    return _list(entries)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds:.1f} s"


def _errors(found: Status, failures: dict[str, list[Receipt]]) -> str:
    parts: list[str] = []
    for kind, count in found.kinds.most_common():
        named = failures.get(kind, [])
        items = "".join(f"<li>{escape(item.error)}</li>" for item in named)
        rest = f"<p>And {count - len(named)} more.</p>" if count > len(named) else ""
        parts.append(f"<h3>{escape(kind)}: {count}</h3><ul>{items}</ul>{rest}")
    return "".join(parts)


def _sheet(settings: Settings | None, receipts: Sequence[Receipt]) -> str:
    """Sources and results beside each other, as far as they can be read."""
    if settings is None or not settings.to:
        return ""
    sources, to = Sources(settings.source), open_store(settings.to)
    figures: list[str] = []
    with tempfile.TemporaryDirectory() as spare:
        for number, item in enumerate(receipts):
            folder = Path(spare, str(number))
            folder.mkdir()
            try:
                before = sources.get(item.key, folder, "before").path
                after = to.path(item.output)
                if after is None:
                    after = folder / "after"
                    to.fetch(item.output, after)
                images = [_coded(before), _coded(after)]
            except (UndarkError, OSError):  # gone since; verify tells
                continue
            figures.append(figure(images, item.key))
    return "".join(figures)


def _coded(path: Path) -> bytes:
    pixels = small(read_photo(path).rgb(), _SIDE)
    return encode_photo(Photo(pixels), format="JPEG", quality=80)


def _how(settings: Settings | None) -> str:
    if settings is None:
        return ""
    recipe = settings.recipe
    asked = ", ".join(f"{name} {value:g}" for name, value in recipe.as_dict()["adjust"].items())
    return _list(
        [
            ("Model", f"{recipe.model}, sha256 {recipe.sha256}"),
            ("Model for videos", recipe.clips),
            ("Asked", asked),
            ("Runtime", f"{recipe.runtime} on {recipe.device}, {recipe.precision}"),
            ("undark", recipe.version),
            ("Recipe", recipe.digest),
        ]
    )
