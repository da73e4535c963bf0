"""Plain tables in layers: a recipe file on its base, settings on both, and who said what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from undark.errors import RecipeError
from undark.train.tables import unknown_key

__all__ = ["BASE", "claim", "leaves", "put", "read_tables", "setting"]

BASE = "base"
"""Key by which a recipe file names the one that it builds on."""


def read_tables(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A recipe file's tables on those of its base, and the file that each key comes from.

    ``base = "unet.toml"`` names another file, relative to this one, which may have a base too.
    Tables are merged key by key; lists, such as ``data.sources``, replace the base's.

    Raises:
        RecipeError: A file cannot be read or is not TOML, or they build on each other in a circle.
    """
    chain: list[tuple[Path, dict[str, Any]]] = []
    here: Path | None = Path(path)
    while here is not None:
        if any(here.resolve() == other.resolve() for other, _ in chain):
            raise RecipeError(f"{path}: its bases go in a circle, by way of {here}")
        raw = _read(here, chain[-1][0] if chain else None)
        base = raw.pop(BASE, None)
        if base is not None and not isinstance(base, str):
            raise RecipeError(f"{here}: base: expected the path of a recipe, not {base!r}")
        chain.append((here, raw))
        here = None if base is None else here.parent / base
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for file, raw in reversed(chain):
        _merge(merged, raw)
        claim(origins, [key for key, _ in leaves(raw)], str(file))
    return merged, origins


def claim(origins: dict[str, str], keys: Sequence[str], who: str) -> None:
    """Note that `who` said `keys`; what was said before of the same, or below it, is forgotten.

    Items of a list are said together, for a list replaces another whole.
    """
    whole = {re.sub(r"\.[0-9]+(\..*)?$", "", key) + "." for key in keys}
    for known in [known for known in origins if known.startswith(tuple(whole))]:
        del origins[known]
    origins.update(dict.fromkeys(keys, who))


def _read(path: Path, named_by: Path | None) -> dict[str, Any]:
    place = f"{path}: " if named_by is None else f"{path}, the base of {named_by}: "
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{place}cannot read the recipe: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{place}not a TOML file: {error}") from error


def _merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    for key, value in above.items():
        held = below.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            _merge(cast("dict[str, Any]", held), cast("dict[str, Any]", value))
        else:
            below[key] = value


def setting(text: str) -> tuple[list[str], Any]:
    """The keys and the value of ``key=value``; what is not TOML is taken as text.

    Raises:
        RecipeError: It is not ``key=value``.
    """
    path, separator, written = text.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise RecipeError(f"{text}: expected key=value, such as fit.steps=100")
    try:
        return keys, tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return keys, written.strip()


def leaves(held: dict[str, Any] | list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no table, with its key as a setting names it."""
    for key, value in held.items() if isinstance(held, dict) else enumerate(held):
        tables = isinstance(value, list) and any(
            isinstance(item, dict) for item in cast("list[Any]", value)
        )
        if isinstance(value, dict) or tables:
            yield from leaves(cast("dict[str, Any] | list[Any]", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def put(raw: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Put `value` in the place of what `keys` lead to; an item of a list goes by its number.

    Raises:
        RecipeError: They lead nowhere. Below ``options`` a last key may be new.
    """
    held: Any = raw
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(held, list):
            items = cast("list[Any]", held)
            if not key.isdecimal() or int(key) >= len(items):
                listed = ".".join(keys[:depth])
                many = f"0 to {len(items) - 1}" if len(items) > 1 else "0"
                raise RecipeError(f"{listed}: expected the number of an item, {many}, not {key!r}")
            if last:
                items[int(key)] = value
            held = items[int(key)]
            continue
        table = cast("dict[str, Any]", held)
        if last:
            if key not in table and keys[0] != "options":
                raise RecipeError(unknown_key(".".join(keys), [key for key, _ in leaves(raw)]))
            table[key] = value
        elif isinstance(table.get(key), (dict, list)):
            held = table[key]
        else:
            tables = [name for name, item in table.items() if isinstance(item, (dict, list))]
            raise RecipeError(unknown_key(key, tables))
