"""An edit in steps: what an agent sees of a photo, what it may do, and steps in a file.

An agent looks at a photo and takes one step after the other: an operation of
:mod:`undark.pixels.tone` with an amount. It never sees the photo at full size, but a
:class:`Look`: the glance and a few patches in the photo's own pixels (averaged away on the glance,
noise is seen only there), each as the steps so far have left it. The training environment and the
mode ``steps`` use this same module, so what is learned is what is run. Steps are then applied to
the photo itself.

After Park et al., "Distort-and-Recover" (CVPR 2018), and Hu et al., "Exposure" (TOG 2018): an
edit as a short list of plain operations that a person can read, change and reuse.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.photo import FloatImage, Photo, to_float
from undark.pixels.colour import luma
from undark.pixels.tone import OPERATIONS

__all__ = [
    "ACTIONS",
    "LIMIT",
    "STATE",
    "STOP",
    "Look",
    "Step",
    "apply_steps",
    "choose_steps",
    "cut_patches",
    "format_steps",
    "halo",
    "parse_steps",
    "read_steps",
]

LIMIT: Final = 12
"""Steps that an agent may take on one photo."""

PATCH: Final = 48
"""Side of a patch in pixels."""

# Centres of the patches, as fractions of height and width.
_PLACES: Final = ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))

# How far in pixels an operation looks around; all others change each pixel by itself.
_REACH: Final = {"denoise": 16, "sharpen": 4}

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of :data:`undark.pixels.tone.OPERATIONS` with its amount.

    Raises:
        UsageError: There is no such operation (the nearest is named), or it takes no such amount.
    """

    operation: str
    amount: float

    def __post_init__(self) -> None:
        """Check the name and the amount."""
        found = OPERATIONS.get(self.operation)
        if found is None:
            near = difflib.get_close_matches(self.operation, OPERATIONS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(OPERATIONS)}"
            raise UsageError(f"no operation named {self.operation!r}; {hint}")
        if not (math.isfinite(self.amount) and found.low <= self.amount <= found.high):
            raise UsageError(
                f"{self.operation} takes an amount from {found.low:g} to {found.high:g}, "
                f"not {self.amount:g}"
            )

    def __call__(self, image: FloatImage) -> FloatImage:
        """`image`, H×W×3 float32 RGB in [0, 1], after this step."""
        return OPERATIONS[self.operation](image, self.amount)

    def __str__(self) -> str:
        """The step for a person: ``exposure +1.2 (EV): more or less light, highlights kept``."""
        found = OPERATIONS[self.operation]
        return f"{self.operation} {self.amount:+g} ({found.unit}): {found.meaning}"


_SIZES: Final = {
    "exposure": (-1.2, -0.4, -0.15, 0.15, 0.4, 1.2, 3.0),
    "brightness": (-0.12, 0.12),
    "gamma": (-0.2, 0.2),
    "contrast": (-0.25, -0.1, 0.1, 0.25),
    "saturation": (-0.2, 0.2),
    "temperature": (-0.1, 0.1),
    "tint": (-0.1, 0.1),
    "sharpen": (0.3,),
    "denoise": (0.5, 1.0),
}

ACTIONS: Final = tuple(Step(name, size) for name, sizes in _SIZES.items() for size in sizes)
"""What an agent may do; one more action, numbered :data:`STOP`, is to leave it at that."""

STOP: Final = len(ACTIONS)
"""Number of the action that ends the edit."""


def apply_steps(image: FloatImage, steps: Sequence[Step]) -> FloatImage:
    """`image`, H×W×3 float32 RGB in [0, 1], after `steps` in their order."""
    for step in steps:
        image = step(image)
    return image


def halo(steps: Sequence[Step]) -> int:
    """Pixels around a region on which its result depends."""
    return sum(_REACH.get(step.operation, 0) for step in steps)


# Looking.

_RANKS: Final = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
_ROUGH: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_SEEN: Final = 2 * len(_RANKS) + 14

STATE: Final = 2 * _SEEN + len(OPERATIONS) + 1
"""Numbers beside the glance in an observation."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What an agent sees of a photo after some steps.

    Operations on single pixels act on glance and patches alike. One that looks at a pixel's
    neighbours acts on the patches alone: on the shrunken glance, whose pixels stand for many, it
    would show what full size does not.

    Attributes:
        glance: h×w×3 float32, the whole photo shrunk by area averaging.
        patches: N×S×S×3 float32 in the photo's own pixels.
        steps: What was done so far.
        first: What :meth:`observe` said of the photo itself, to remember it by.
    """

    glance: FloatImage
    patches: NDArray[np.float32]
    steps: tuple[Step, ...]
    first: NDArray[np.float32]

    @classmethod
    def at(cls, glance: FloatImage, patches: NDArray[np.float32]) -> Look:
        """The look at a photo before any step; see :meth:`of`."""
        return cls(glance, patches, (), _describe(glance, patches))

    @classmethod
    def of(cls, photo: Photo, height: int, width: int) -> Look:
        """The look at `photo` before any step, with a glance of that size."""
        return cls.at(photo.glance(height, width), cut_patches(photo.pixels))

    def after(self, step: Step) -> Look:
        """The look after one more step."""
        steps = (*self.steps, step)
        if step.operation in _REACH:
            return replace(
                self, patches=np.stack([step(patch) for patch in self.patches]), steps=steps
            )
        # All pixels in one column: one call is quicker than six.
        count = self.glance.shape[0] * self.glance.shape[1]
        pixels = np.concatenate([self.glance.reshape(-1, 1, 3), self.patches.reshape(-1, 1, 3)])
        pixels = step(pixels)
        return replace(
            self,
            glance=pixels[:count].reshape(self.glance.shape),
            patches=pixels[count:].reshape(self.patches.shape),
            steps=steps,
        )

    def observe(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What a policy is given: the glance as 3×h×w, and `STATE` numbers.

        The numbers describe the look and, likewise, the photo before any step (levels at some
        ranks of the pixels, as they are and in EV; means, colour, contrast, noise of light and
        colour, clipped fractions), then say how much of each operation was done and how many steps.
        """
        done = np.zeros(len(OPERATIONS) + 1, np.float32)
        order = {name: index for index, name in enumerate(OPERATIONS)}
        for step in self.steps:
            done[order[step.operation]] += step.amount
        done[-1] = len(self.steps) / LIMIT
        now = self.first if not self.steps else _describe(self.glance, self.patches)
        return (
            np.ascontiguousarray(self.glance.transpose(2, 0, 1)),
            np.concatenate([now, self.first, done]),
        )


def choose_steps(
    look: Look,
    policy: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]],
) -> tuple[Step, ...]:
    """The steps that a policy takes from `look` on: always its likeliest, `LIMIT` at most.

    Args:
        look: At the photo before any step.
        policy: Gives a logit for each of `ACTIONS` and `STOP`; called as :meth:`Look.observe`
            gives, with a first dimension of 1.
    """
    while len(look.steps) < LIMIT:
        glance, state = look.observe()
        action = int(np.argmax(policy(glance[None], state[None])))
        if action == STOP:
            break
        look = look.after(ACTIONS[action])
    return look.steps


def cut_patches(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Patches at fixed places of H×W×3 native pixels; what a small photo lacks is reflected."""
    found: list[NDArray[np.float32]] = []
    rows, columns = pixels.shape[:2]
    for down, across in _PLACES:
        top = min(max(round(down * rows) - PATCH // 2, 0), max(rows - PATCH, 0))
        left = min(max(round(across * columns) - PATCH // 2, 0), max(columns - PATCH, 0))
        part = to_float(pixels[top : top + PATCH, left : left + PATCH])
        below, right = PATCH - part.shape[0], PATCH - part.shape[1]
        if below or right:
            part = cv2.copyMakeBorder(part, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        found.append(np.asarray(part, np.float32))
    return np.stack(found)


def _describe(glance: FloatImage, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """`_SEEN` numbers of about -1 to 1 on what is seen; see :meth:`Look.observe`."""
    light = luma(glance).ravel()
    ranks = (_RANKS * (light.size - 1)).astype(np.intp)
    levels = np.partition(light, ranks)[ranks]
    means = np.array(cv2.mean(glance)[:3])
    stops = np.log2(means + np.float32(1 / 512))
    noise = _noise(patches)
    return np.concatenate(
        [
            levels,
            np.log2(levels + np.float32(1 / 512)) / 8,
            means,
            [stops[1] / 8, stops[0] - stops[1], stops[2] - stops[1]],
            [
                cv2.meanStdDev(light)[1][0, 0],
                sum(cv2.mean(np.abs(glance - light.reshape(*glance.shape[:2], 1)))[:3]) / 3,
            ],
            noise[:1] * 10,
            np.log2(noise + np.float32(1 / 1024)) / 8,
            [(light < 1 / 255).mean(), (glance > 254 / 255).mean()],
        ],
        dtype=np.float32,
    )


def _noise(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of the noise of luma, red and blue, after Immerkær (1996).

    What edges leave of an image is taken off; texture only adds, so the quietest patch counts.
    """
    sheet = patches.reshape(-1, *patches.shape[2:])
    rough = np.asarray(cv2.filter2D(sheet, -1, _ROUGH), np.float32)
    rough = rough.reshape(patches.shape)[:, 1:-1, 1:-1]
    grey = luma(rough)
    parts = np.abs(np.stack([grey, rough[..., 0] - grey, rough[..., 2] - grey]))
    return parts.mean(axis=(2, 3)).min(axis=1) * np.float32(math.sqrt(math.pi / 2) / 6)


# Steps in a file.


def format_steps(steps: Sequence[Step]) -> str:
    """`steps` as JSON text, ending with a newline; see :func:`parse_steps`."""
    lines = [
        "    " + json.dumps({"operation": step.operation, "amount": step.amount}) for step in steps
    ]
    body = "[\n" + ",\n".join(lines) + "\n  ]" if lines else "[]"
    return f'{{\n  "schema": {_SCHEMA},\n  "steps": {body}\n}}\n'


def parse_steps(text: str) -> tuple[Step, ...]:
    """Steps from JSON text.

    Args:
        text: ``{"schema": 1, "steps": [{"operation": "exposure", "amount": 1.2}, ...]}``.

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
    _check_keys(raw, ("operation", "amount"), f"step {number}")
    values = cast(dict[str, Any], raw)
    operation, amount = values["operation"], values["amount"]
    if not isinstance(operation, str):
        raise UsageError(f"step {number}: operation must be a name, not {operation!r}")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise UsageError(f"step {number}: amount must be a number, not {amount!r}")
    try:
        return Step(operation, float(amount))
    except OverflowError:
        raise UsageError(f"step {number}: amount is too large") from None
    except UsageError as error:
        raise UsageError(f"step {number}: {error}") from None


def _check_keys(raw: object, names: tuple[str, ...], where: str) -> None:
    if not isinstance(raw, dict):
        raise UsageError(f"{where} must be an object with {' and '.join(names)}")
    found = cast(dict[str, Any], raw)
    for name in found:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise UsageError(f"{where}: unknown key {name!r}; {hint}")
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
