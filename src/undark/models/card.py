"""The Card: what a model is, how it takes a photo, what it learned from, how well it does.

A card is a JSON file beside the ONNX file of the same stem (``night.onnx`` and ``night.json``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from undark.errors import ModelError

__all__ = ["UNSTATED", "Card", "DataSource", "Glance", "Metric", "Scaling"]

SCHEMA = 1

UNSTATED = "not stated"
"""What stands in the place of a licence that nobody named."""


@dataclass(frozen=True, slots=True)
class Glance:
    """Size of the shrunken whole photo that the graph takes as its input `glance`."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the graph is run on a photo larger than it can take whole.

    The mode checks that it has what it needs when the model is opened.

    Attributes:
        mode: Name of the mode that runs it, of :data:`undark.modes.MODES`.
        multiple: Height and width given to the graph are padded to multiples of this.
        minimum: Smallest height and width the graph takes, in pixels.
        tile: Side of a tile in pixels, more than twice `overlap` (modes that work in tiles).
        overlap: Pixels that neighbouring tiles share (likewise).
        max_side: Longer side of the reduced photo in pixels (mode ``guided``).
        margin: Pixels of its mirror image that lie around a photo, at least (modes that work in
            tiles): a graph that pads with zeros is off by some levels along the border.
    """

    mode: str = "tiles"
    multiple: int = 8
    minimum: int = 16
    tile: int = 768
    overlap: int = 96
    max_side: int = 1024
    margin: int = 0


@dataclass(frozen=True, slots=True)
class DataSource:
    """One dataset that the weights learned from, with its licence as stated."""

    name: str
    licence: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured result: on what, by which protocol, with which values.

    `values` maps metric names ("psnr", "ssim", ...) to means over `pictures` images.
    """

    on: str
    protocol: str
    pictures: int
    values: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Card:
    """What a model is.

    Attributes:
        name: Catalog name, lower case.
        title: One line for a person.
        summary: When to use it, in a photographer's words.
        method: How it learned: supervised, pix2pix, unpaired, zero-reference, reinforcement.
        sha256: Hex digest of the ONNX file; checked before it is run.
        parameters: Number of learned parameters.
        licence: Licence of the weights.
        author: Who made them; empty where nobody says.
        data: What they learned from.
        recipe: File name of the recipe that reproduces them.
        glance: Size of the graph's `glance` input, or None where it has none.
        scaling: How it runs on large photos.
        metrics: Measured results.
        papers: Works it is built on.
    """

    name: str
    title: str
    summary: str
    method: str
    sha256: str
    parameters: int
    licence: str
    data: tuple[DataSource, ...]
    recipe: str
    glance: Glance | None = None
    scaling: Scaling = Scaling()
    metrics: tuple[Metric, ...] = ()
    papers: tuple[str, ...] = ()
    author: str = ""

    @classmethod
    def load(cls, path: Path) -> Card:
        """Read and check a card file.

        Raises:
            ModelError: The file is missing, is not JSON, or does not hold a card.
        """
        try:
            raw: object = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model's card: {error.strerror}") from error
        except ValueError as error:
            raise ModelError(f"{path}: the model's card is not JSON: {error}") from error
        try:
            return cls._parse(raw)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: not a model's card: {error}") from error

    @classmethod
    def _parse(cls, raw: object) -> Card:
        if not isinstance(raw, dict):
            raise TypeError("expected an object")
        values = cast(dict[str, Any], raw).copy()
        if values.pop("schema", None) != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}")
        known = {item.name for item in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown key {unknown[0]!r}")
        values["data"] = tuple(DataSource(**item) for item in values.get("data", ()))
        values["metrics"] = tuple(Metric(**item) for item in values.get("metrics", ()))
        values["papers"] = tuple(values.get("papers", ()))
        values["glance"] = Glance(**values["glance"]) if values.get("glance") else None
        values["scaling"] = Scaling(**values.get("scaling", {}))
        return cls(**values)

    def dump(self) -> str:
        """The card as JSON text, ending with a newline."""
        values = asdict(self)
        if not self.author:
            del values["author"]  # as cards were before it came; older versions read these still
        return json.dumps({"schema": SCHEMA, **values}, indent=2, ensure_ascii=False) + "\n"
