"""An edit in steps: plain operations, one after the other, and steps in a file.

A step is an operation of :mod:`undark.pixels.tone` with an amount, everywhere or in a place
(:mod:`undark.pixels.places`): an edit is a short list of them, which a person can read, change and
reuse on other photos. An agent chooses them by what it sees; see :mod:`undark.pixels.look`.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from undark.errors import UsageError
from undark.photo import FloatImage
from undark.pixels.places import BY_LEVEL, EVERYWHERE, PLACES, Spots, spots, weight
from undark.pixels.tone import OPERATIONS

__all__ = ["REACH", "Step", "apply_steps", "format_steps", "halo", "parse_steps", "read_steps"]

REACH: Final = {"denoise": 16, "sharpen": 4}
"""How far in pixels an operation looks around; all others change each pixel by itself."""

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of :data:`undark.pixels.tone.OPERATIONS` with its amount.

    Attributes:
        operation: Its name.
        amount: Within the operation's range; in shadows or highlights within a quarter of it, so
            that what was lighter stays lighter.
        where: A name of :data:`undark.pixels.places.PLACES`, or ``everywhere``.

    Raises:
        UsageError: There is no such operation or place (the nearest is named), or it takes no such
            amount.
    """

    operation: str
    amount: float
    where: str = EVERYWHERE

    def __post_init__(self) -> None:
        """Check the names and the amount."""
        found = OPERATIONS.get(self.operation)
        if found is None:
            hint = _near(self.operation, tuple(OPERATIONS))
            raise UsageError(f"no operation named {self.operation!r}; {hint}")
        if self.where != EVERYWHERE and self.where not in PLACES:
            hint = _near(self.where, (EVERYWHERE, *PLACES))
            raise UsageError(f"no place named {self.where!r}; {hint}")
        part = 4 if self.where in BY_LEVEL else 1
        low, high = found.low / part, found.high / part
        if not (math.isfinite(self.amount) and low <= self.amount <= high):
            place = f" in {self.where}" if part > 1 else ""
            raise UsageError(
                f"{self.operation}{place} takes an amount from {low:g} to {high:g}, "
                f"not {self.amount:g}"
            )

    def __call__(self, image: FloatImage, lies: Spots | None = None) -> FloatImage:
        """`image`, H×W×3 float32 RGB in [0, 1], after this step.

        Args:
            image: A photo or a part of it.
            lies: Where in the photo its pixels lie; by default it is the whole photo.
        """
        done = OPERATIONS[self.operation](image, self.amount)
        if self.where == EVERYWHERE:
            return done
        share = weight(self.where, image, lies or spots(*image.shape[:2]))
        return np.asarray(image + share * (done - image), np.float32)

    def __str__(self) -> str:
        """The step for a person: ``exposure +1.2 (EV): more or less light, highlights kept``."""
        found = OPERATIONS[self.operation]
        place = "" if self.where == EVERYWHERE else f", {self.where}"
        return f"{self.operation} {self.amount:+g} ({found.unit}{place}): {found.meaning}"

    def to_dict(self) -> dict[str, Any]:
        """The step as it stands in a file: ``where`` is left out if that is everywhere."""
        found: dict[str, Any] = {"operation": self.operation, "amount": self.amount}
        return found if self.where == EVERYWHERE else {**found, "where": self.where}


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"


def apply_steps(
    image: FloatImage, steps: Sequence[Step], *, top: int = 0, height: int | None = None
) -> FloatImage:
    """`image`, H×W×3 float32 RGB in [0, 1], after `steps` in their order.

    Args:
        image: A photo, or a band of it.
        steps: What to do.
        top: The band's first row in the photo.
        height: The photo's height; by default `image` is the whole photo.
    """
    lies = spots(*image.shape[:2], top=top, height=height)
    for step in steps:
        image = step(image, lies)
    return image


def halo(steps: Sequence[Step]) -> int:
    """Pixels around a region on which its result depends."""
    return sum(REACH.get(step.operation, 0) for step in steps)


# Steps in a file.


def format_steps(steps: Sequence[Step]) -> str:
    """`steps` as JSON text, ending with a newline; see :func:`parse_steps`."""
    lines = ["    " + json.dumps(step.to_dict()) for step in steps]
    body = "[\n" + ",\n".join(lines) + "\n  ]" if lines else "[]"
    return f'{{\n  "schema": {_SCHEMA},\n  "steps": {body}\n}}\n'


def parse_steps(text: str) -> tuple[Step, ...]:
    """Steps from JSON text.

    Args:
        text: ``{"schema": 1, "steps": [{"operation": "exposure", "amount": 1.2}, ...]}``; a step
            may say ``"where": "shadows"``, or another place.

    Raises:
        UsageError: It is no such JSON, or a step does not hold up; the message says which.
    """
    try:
        raw: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON: {error}") from error
    _check_keys(raw, ("schema", "steps"), "the file")
    values = cast(dict[str, Any], raw)
    if values["schema"] != _SCHEMA:
        raise UsageError(f"schema must be {_SCHEMA}, not {values['schema']!r}")
    if not isinstance(values["steps"], list):
        raise UsageError("steps must be a list")
    return tuple(
        _parse_step(item, number)
        for number, item in enumerate(cast(list[object], values["steps"]), start=1)
    )


def _parse_step(raw: object, number: int) -> Step:
    _check_keys(raw, ("operation", "amount"), f"step {number}", ("where",))
    values = cast(dict[str, Any], raw)
    operation, amount = values["operation"], values["amount"]
    where = values.get("where", EVERYWHERE)
    for key, value in (("operation", operation), ("where", where)):
        if not isinstance(value, str):
            raise UsageError(f"step {number}: {key} must be a name, not {value!r}")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise UsageError(f"step {number}: amount must be a number, not {amount!r}")
    try:
        return Step(operation, float(amount), where)
    except OverflowError:
        raise UsageError(f"step {number}: amount is too large") from None
    except UsageError as error:
        raise UsageError(f"step {number}: {error}") from None


def _check_keys(
    raw: object, names: tuple[str, ...], where: str, optional: tuple[str, ...] = ()
) -> None:
    if not isinstance(raw, dict):
        raise UsageError(f"{where} must be an object with {' and '.join(names)}")
    found = cast(dict[str, Any], raw)
    known = (*names, *optional)
    for name in found:
        if name not in known:
            raise UsageError(f"{where}: unknown key {name!r}; {_near(name, known)}")
    for name in names:
        if name not in found:
            raise UsageError(f"{where}: {name} is missing")


def read_steps(path: Path) -> tuple[Step, ...]:
    """Steps from a file, as :func:`format_steps` writes it.

    Raises:
        UsageError: The file cannot be read or does not hold steps.
    """
    try:
        return parse_steps(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the steps: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
