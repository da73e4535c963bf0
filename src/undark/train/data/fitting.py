"""A recipe's sources, fitted to the folder that a run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from undark.errors import DataError
from undark.io.pairs import find_pairs, holds_pairs
from undark.train.recipe import Recipe, Source

__all__ = ["USUAL", "fit_sources", "usual_data"]

USUAL = "data"
"""Name of the folder that is learned from where none is named."""

_UNKNOWN = Source()


def usual_data(plan: Recipe) -> Path | None:
    """The folder `USUAL` here, if it holds pairs or the folders of the recipe's sources."""
    root = Path(USUAL)
    if not root.is_dir():
        return None
    named = [source for source in plan.data.sources if source.path != "."]
    if named and all((root / source.path).is_dir() for source in named):
        return root
    return root if holds_pairs(root) else None


def fit_sources(
    plan: Recipe, root: Path, notify: Callable[[str], None], *, written: Recipe
) -> Recipe:
    """`plan` with sources that are there, each with a name.

    Where `root` has none of the folders that the sources name, it is taken as the one set of data
    itself: one source of each kind is kept, and what the recipe says of its own data and weights
    (names, licences, title, summary) is left out, for they are others now.

    Args:
        plan: The recipe, as the run's settings changed it.
        root: The folder that the sources are relative to.
        notify: Told where `root` is taken as the data itself.
        written: The recipe before the run's settings; what they changed is kept, and folders that
            they name must be there.

    Raises:
        DataError: Some of the folders are missing, or all are and `root` does not hold what the
            recipe learns from.
    """
    missing = [source for source in plan.data.sources if not (root / source.path).is_dir()]
    if not missing:
        return _named(plan, root)
    names = ", ".join(dict.fromkeys(source.path for source in missing))
    paths, as_written = ([s.path for s in recipe.data.sources] for recipe in (plan, written))
    if paths != as_written:  # named for this run, so no others will do
        raise DataError(f"{root / missing[0].path}: no such folder to learn from", argument="data")
    if len(missing) < len(paths):
        raise DataError(
            f"{root}: lacks {names}, which the recipe learns from; put it there, take its source"
            " out of the recipe, or give a folder of pairs that has none of these folders",
            argument="data",
        )
    sources = _one_of_each_kind(plan, root)
    kinds = [source.kind for source in sources]
    if "pairs" in kinds or {"dark", "light"} <= set(kinds):
        try:
            find_pairs(root, sources[0].dark_half)
        except DataError as error:
            raise DataError(
                f"none of the recipe's folders ({names}) is in {root}, nor does it hold pairs"
                f" itself: {error}",
                argument="data",
            ) from error
    if not sources:
        raise DataError(f"{root}: lacks {names}, which the recipe learns from", argument="data")
    notify(f"{plan.name}: {root} has no {names}; learning from {root} itself ({', '.join(kinds)})")
    plan = replace(plan, data=replace(plan.data, sources=tuple(sources)))
    blank = Recipe(plan.name, plan.method)
    told = {
        key: getattr(blank, key)
        for key in ("title", "summary", "licence", "author")
        if getattr(written, key) == getattr(plan, key)
    }
    return _named(replace(plan, **told), root)


def _one_of_each_kind(plan: Recipe, root: Path) -> list[Source]:
    """The first source of each kind with the weight of all, at `root`; HDR images are not there."""
    kept: dict[str, Source] = {}
    for source in plan.data.sources:
        if source.kind == "render":
            continue
        first = kept.get(source.kind)
        if first is not None:
            kept[source.kind] = replace(first, weight=first.weight + source.weight)
            continue
        kept[source.kind] = replace(
            source,
            path=".",
            name="",
            licence=_UNKNOWN.licence,
            url="",
            only=(),
            held_with="",
            camera=source.camera if source.camera and (root / source.camera).is_file() else "",
        )
    return list(kept.values())


def _named(plan: Recipe, root: Path) -> Recipe:
    """Each source with a name: by default its folder's."""
    sources = tuple(
        source if source.name else replace(source, name=(root / source.path).resolve().name)
        for source in plan.data.sources
    )
    return replace(plan, data=replace(plan.data, sources=sources))
