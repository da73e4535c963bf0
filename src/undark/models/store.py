"""From a name or a path to a card and checked weights."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from undark.errors import ModelError
from undark.models import catalog
from undark.models.card import Card

__all__ = ["Model", "cards", "check_learned", "resolve"]


@dataclass(frozen=True, slots=True)
class Model:
    """A card and the ONNX file that it describes.

    Attributes:
        card: What the model is.
        path: Its ONNX file.
    """

    card: Card
    path: Path

    def read(self) -> bytes:
        """The ONNX file's bytes, checked against the card's sha256.

        Raises:
            ModelError: The file is missing, cannot be read, or was altered.
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.path}: cannot read the model: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.card.sha256.lower():
            raise ModelError(
                f"{self.path}: the weights are not those of their card (sha256 differs); "
                "install or export them again"
            )
        return data


def resolve(name_or_path: str | Path) -> Model:
    """The model of that name, or the one in that file.

    Args:
        name_or_path: A catalog name, ``"default"``, or the path of an ``.onnx`` file with its
            card beside it (``night.onnx`` and ``night.json``).

    Raises:
        ModelError: There is no such model, or its card is missing or wrong.
    """
    if _is_path(name_or_path):
        return _from_file(Path(name_or_path))
    name = catalog.DEFAULT if name_or_path == "default" else str(name_or_path)
    for entry in catalog.ENTRIES:
        if entry.name == name:
            return _packaged(entry)
    near = difflib.get_close_matches(name.lower(), (*catalog.names(), "default"), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(catalog.names())}"
    raise ModelError(f"no model named {name!r}; {hint} (a model of your own is a path to an .onnx)")


def cards() -> tuple[Card, ...]:
    """The cards of all models of the catalog, in order.

    Raises:
        ModelError: A card of the catalog is missing or wrong.
    """
    return tuple(_packaged(entry).card for entry in catalog.ENTRIES)


def check_learned(name_or_path: str | Path) -> None:
    """Check, without opening anything, that there may be weights of that name or in that place.

    Args:
        name_or_path: A run's folder, a file of weights, or a name of the catalog.

    Raises:
        ModelError: There is nothing; the message names what is near.
    """
    path = Path(name_or_path)
    if str(name_or_path) in (*catalog.names(), "default"):
        return
    if path.exists():
        if path.is_dir() and not any(path.glob("*.ckpt")) and not any(path.glob("*.safetensors")):
            raise ModelError(f"{path}: a folder without a run's weights; none was saved there yet")
        return
    beside = path.parent if path.parent != Path() else Path("runs")
    runs = [str(p) for p in beside.glob("*") if p.is_dir()] if beside.is_dir() else []
    near = difflib.get_close_matches(str(beside / path.name), runs, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ModelError(
        f"{path}: no such run or file of weights{hint} (a run's folder, its .safetensors or .ckpt"
        " file, or an .onnx that undark exported)"
    )


def _is_path(name_or_path: str | Path) -> bool:
    """Whether this names a file: a Path, or text with a folder in it or ending in .onnx."""
    if isinstance(name_or_path, Path):
        return True
    return name_or_path.lower().endswith(".onnx") or any(mark in name_or_path for mark in "/\\")


def _from_file(path: Path) -> Model:
    if path.suffix.lower() != ".onnx":
        raise ModelError(f"{path}: a model is an .onnx file with its card (.json) beside it")
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    card = path.with_suffix(".json")
    if not card.is_file():
        raise ModelError(
            f"{path}: its card {card.name} is not beside it; `undark export` writes it"
        )
    return Model(card=Card.load(card), path=path)


def _packaged(entry: catalog.Entry) -> Model:
    folder = Path(str(resources.files("undark.models"))) / "weights"
    card = folder / f"{entry.stem}.json"
    if not card.is_file():
        raise ModelError(f"the model {entry.name!r} is missing from this installation of undark")
    return Model(card=Card.load(card), path=folder / f"{entry.stem}.onnx")
