"""What the tests of shared pages use."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image


@dataclass
class Page(HTMLParser):
    """A page, read as a browser reads it."""

    path: Path
    text: dict[str, str] = field(default_factory=dict)
    images: list[dict[str, str]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    policy: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._inside = ""
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        assert "style" not in values
        assert not any(name.startswith("on") for name in values)
        self.addresses += [values[name] for name in ("src", "href") if name in values]
        if tag == "img":
            self.images.append(values)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text[self._inside] = self.text.get(self._inside, "") + data

    def photo(self, number: int) -> Image.Image:
        _, _, data = self.images[number]["src"].partition(";base64,")
        return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
