"""What is measured on: dark images, with their truths where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from undark.errors import DataError
from undark.io.formats import is_readable_name
from undark.io.halves import DarkHalf, Shot
from undark.io.names import natural_key
from undark.io.pairs import TrainingPair, find_pairs

__all__ = ["Sample", "Samples", "find_samples", "images_in"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One dark image.

    Attributes:
        name: What it is called in reports; unique in its set.
        scene: Images of one scene are alike, and count as one observation.
        dark: The image.
        truth: The well-lit image of the same view, or None.
    """

    name: str
    scene: str
    dark: Shot
    truth: Shot | None


@dataclass(frozen=True, slots=True)
class Samples:
    """A set of images; all have a truth or none has.

    Attributes:
        label: What reports call the set.
        items: At least one, in natural order of their names.
        unmatched: Files without a partner.
        matched: How partners were found, in words.
    """

    label: str
    items: tuple[Sample, ...]
    unmatched: tuple[Path, ...] = ()
    matched: tuple[str, ...] = ()

    @property
    def has_truth(self) -> bool:
        """Whether there are truths to compare with."""
        return self.items[0].truth is not None

    @classmethod
    def of_pairs(
        cls, label: str, pairs: Sequence[TrainingPair], unmatched: Sequence[Path] = ()
    ) -> Samples:
        """The pairs as samples."""
        items = (Sample(pair.name, pair.scene, pair.low, pair.high) for pair in pairs)
        return cls(label, tuple(items), tuple(unmatched))

    @classmethod
    def of_images(
        cls, label: str, images: Sequence[Path], *, to_themselves: bool = False
    ) -> Samples:
        """Single images, without truths, or each its own truth: a photo that needs no change."""
        items = (
            Sample(path.name, path.name, path, path if to_themselves else None)
            for path in sorted(images, key=lambda path: natural_key(path.name))
        )
        return cls(label, tuple(items))


def find_samples(folder: Path, dark_half: DarkHalf = "guess") -> Samples:
    """The pairs in `folder`, or else the images that lie in it.

    Raises:
        DataError: It holds neither; the message lists the layouts of pairs.
    """
    try:
        found = find_pairs(folder, dark_half)
    except DataError:
        images = images_in(folder)
        # A table that names pairs is meant as one, even where it is wrong.
        if not images or (Path(folder) / "pairs.csv").is_file():
            raise
        return Samples.of_images(str(folder), images)
    samples = Samples.of_pairs(str(folder), found.pairs, found.unmatched)
    return replace(samples, matched=found.rules)


def images_in(folder: Path) -> list[Path]:
    """The files in `folder` itself whose names are those of images."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_file() and is_readable_name(path)]
