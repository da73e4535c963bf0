"""Adjust: what a user may ask of a result, each value checked once.

`CONTROLS` is made from the fields of :class:`Adjust`. The command line's options, the API's
documentation and the checks are all made from it, so one entry there adds a control (and a line in
`Adjustments`, by which editors and type checkers know the name).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final, SupportsFloat, TypedDict

from undark.errors import UsageError

__all__ = ["CONTROLS", "Adjust", "Adjustments", "Control"]


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that may be asked.

    Attributes:
        neutral: The value that asks for nothing.
        low: Smallest value.
        high: Largest value.
        unit: What the value counts; empty for a fraction.
        meaning: One or two sentences for a person.
        general: Whether it can be done to the result of any model. Others are refused where the
            model's mode does not act on them itself.
    """

    neutral: float
    low: float
    high: float
    unit: str
    meaning: str
    general: bool


def _control(
    neutral: float, low: float, high: float, unit: str, meaning: str, *, general: bool = False
) -> Any:
    control = Control(neutral, low, high, unit, meaning, general)
    return field(default=neutral, metadata={"control": control})


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """What is asked of a result, beside a model's own choice.

    Raises:
        UsageError: A value is no number or out of its range.

    """

    strength: float = _control(
        1.0, 0.0, 1.0, "", "From 0, the photo as it is, to 1, the full effect.", general=True
    )
    exposure: float = _control(
        0.0, -4.0, 4.0, "EV", "More (+) or less (-) light, in EV.", general=True
    )
    denoise: float = _control(
        1.0,
        0.0,
        1.0,
        "",
        "How much noise is taken off: of photos by a model that relights, of videos over time "
        "and in space.",
    )
    local: float = _control(
        1.0,
        0.0,
        1.0,
        "",
        "How much the light may differ from place to place; 0 is one tone curve for the photo.",
    )

    def __post_init__(self) -> None:
        """Check each value."""
        for name, control in CONTROLS.items():
            value: object = getattr(self, name)
            number = float(value) if isinstance(value, SupportsFloat) else float("nan")
            if not control.low <= number <= control.high:  # nor where it is NaN
                unit = f" {control.unit}" if control.unit else ""
                raise UsageError(
                    f"{name} must be between {control.low:g} and {control.high:g}{unit},"
                    f" not {value}"
                )

    def asked(self) -> tuple[str, ...]:
        """Names of the controls that are not neutral."""
        return tuple(
            name for name, control in CONTROLS.items() if getattr(self, name) != control.neutral
        )


class Adjustments(TypedDict, total=False):
    """The fields of :class:`Adjust` as keyword arguments."""

    strength: float
    exposure: float
    denoise: float
    local: float


CONTROLS: Final[dict[str, Control]] = {
    item.name: item.metadata["control"] for item in fields(Adjust)
}
"""All that may be asked, by name, in order."""


def _documented() -> str:
    lines = [
        f"        {name}: {item.meaning} From {item.low:g} to {item.high:g}"
        f"{' ' + item.unit if item.unit else ''}; {item.neutral:g} by default."
        for name, item in CONTROLS.items()
    ]
    return "\n".join(["    Attributes:", *lines, ""])


Adjust.__doc__ = f"{(Adjust.__doc__ or '').rstrip()}\n\n{_documented()}    "
