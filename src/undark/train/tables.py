"""Plain tables, as TOML and JSON hold them, to dataclasses and back, with errors for people.

A dataclass states the names, types and defaults of a table's keys in one place. An unknown key is
an error that names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal

from undark.errors import RecipeError

__all__ = ["build", "plain", "unknown_key"]

_NAMES = {dict: "a table", tuple: "a list"}


def build(kind: type[Any], raw: object, where: str) -> Any:
    """An instance of the dataclass `kind` from the table `raw`.

    Args:
        kind: Its fields may be numbers, text, booleans, literals, tuples, dataclasses, optional
            ones of these, and tables of anything.
        raw: What a TOML or JSON reader gives.
        where: The table's path in the file, for errors; empty for the file itself.

    Raises:
        RecipeError: A key is unknown or missing, or a value is of the wrong type.
    """
    if not isinstance(raw, dict):
        raise RecipeError(f"{where or 'recipe'}: expected a table")
    table = typing.cast("dict[str, Any]", raw)
    hints = typing.get_type_hints(kind)
    prefix = f"{where}." if where else ""
    names = [item.name for item in dataclasses.fields(kind)]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in names:
            raise RecipeError(unknown_key(f"{prefix}{key}", [prefix + name for name in names]))
        values[key] = _convert(hints[key], value, f"{prefix}{key}")
    for item in dataclasses.fields(kind):
        needed = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if needed and item.name not in values:
            raise RecipeError(f"missing key {prefix}{item.name}")
    return kind(**values)


def plain(value: Any) -> Any:
    """`value` with dataclasses as tables and tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        table = typing.cast("dict[str, Any]", value)
        return {key: plain(item) for key, item in table.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in typing.cast("Sequence[Any]", value)]
    return value


def unknown_key(key: str, known: Sequence[str]) -> str:
    """What to say of a `key` that is none of the `known` ones."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    return f"unknown key {key!r}{hint}"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type[Any], hint), value, where)
    if origin is tuple and isinstance(value, list):
        items = typing.cast("list[Any]", value)
        return tuple(_convert(arguments[0], item, where) for item in items)
    if origin in (typing.Union, types.UnionType):
        return _convert(next(a for a in arguments if a is not type(None)), value, where)
    if origin is Literal:
        same = [item for item in arguments if type(item) is type(value) and item == value]
        expected = None if same else f"one of {', '.join(map(repr, arguments))}"
    elif origin in (dict, tuple):
        expected = _NAMES[origin] if origin is tuple or not isinstance(value, dict) else None
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    else:
        fits = hint is Any or isinstance(value, hint)
        expected = None if fits and not (hint is int and isinstance(value, bool)) else hint.__name__
    if expected is not None:
        raise RecipeError(f"{where}: expected {expected}, not {value!r}")
    return value
