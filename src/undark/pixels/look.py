"""What an agent sees of a photo, what it may do, and how it comes to its steps.

An agent looks at a photo and takes one step after the other. It never sees the photo at full size,
but a :class:`Look`: the glance and a few patches in the photo's own pixels (averaged away on the
glance, noise is seen only there), each as the steps so far have left it. The training environment
and the mode ``steps`` use this same module, so what is learned is what is run. Steps are then
applied to the photo itself.

After Park et al., "Distort-and-Recover" (CVPR 2018), and Hu et al., "Exposure" (TOG 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.errors import ModelError
from undark.photo import FloatImage, Photo, to_float
from undark.pixels.colour import luma
from undark.pixels.places import EVERYWHERE, Spots, spots
from undark.pixels.steps import REACH, Step
from undark.pixels.tone import OPERATIONS

__all__ = [
    "ACTIONS",
    "CHOICES",
    "IN_PLACES",
    "LIMIT",
    "STATE",
    "STOP",
    "Look",
    "choose_steps",
    "cut_patches",
    "follow",
]

LIMIT: Final = 12
"""Steps that an agent may take on one photo."""

PATCH: Final = 48
"""Side of a patch in pixels."""

# Centres of the patches, as fractions of height and width.
_PLACES: Final = ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))

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

_FURTHEST: Final = {
    name: 2.0 * max(map(abs, sizes)) for name, sizes in _SIZES.items() if name != "exposure"
}
"""How far an edit may go with an operation in all; dark photos need any exposure."""

_SIZES_IN_PLACES: Final = {
    "shadows": (-0.4, 0.4, 1.0),
    **dict.fromkeys(("highlights", "top", "bottom", "left", "right", "middle"), (-0.4, 0.4)),
}

_EVERYWHERE_ACTIONS: Final = tuple(
    Step(name, size) for name, sizes in _SIZES.items() for size in sizes
)

ACTIONS: Final = _EVERYWHERE_ACTIONS + tuple(
    Step("exposure", size, place) for place, sizes in _SIZES_IN_PLACES.items() for size in sizes
)
"""What an agent may do; one more action, numbered :data:`STOP`, is to leave it at that."""

STOP: Final = len(ACTIONS)
"""Number of the action that ends the edit."""

IN_PLACES: Final = range(len(_EVERYWHERE_ACTIONS), STOP)
"""Numbers of the actions that are steps in places."""

CHOICES: Final = (STOP + 1, len(_EVERYWHERE_ACTIONS) + 1)
"""Actions, with the one that ends the edit, among which agents choose: the last is the number of
those from before there were places. They know the first of `ACTIONS`, and end with their last."""


@lru_cache(maxsize=1)
def _patch_spots() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the patches lie, each N×S×S: all of a patch at its centre, since photos are large."""
    centres = np.array(_PLACES, np.float32)[:, :, None, None]
    whole = np.broadcast_to(centres, (len(_PLACES), 2, PATCH, PATCH))
    return whole[:, 0], whole[:, 1]


@lru_cache(maxsize=4)
def _look_spots(rows: int, columns: int) -> Spots:
    """Where all pixels of a look lie, in one column: its glance, then its patches."""
    glance = np.broadcast_arrays(*spots(rows, columns))
    parts = [
        np.concatenate([of.reshape(-1, 1), patches.reshape(-1, 1)])
        for of, patches in zip(glance, _patch_spots(), strict=True)
    ]
    return Spots(*parts)


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
        if step.operation in REACH:
            patches = [
                step(patch, Spots(down, across))
                for patch, down, across in zip(self.patches, *_patch_spots(), strict=True)
            ]
            return replace(self, patches=np.stack(patches), steps=steps)
        # All pixels in one column: one call is quicker than six.
        rows, columns = self.glance.shape[:2]
        count = rows * columns
        pixels = np.concatenate([self.glance.reshape(-1, 1, 3), self.patches.reshape(-1, 1, 3)])
        pixels = step(pixels, _look_spots(rows, columns))
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
        colour, clipped fractions), then say how much of each operation was done everywhere, and how
        many steps.
        """
        done = np.zeros(len(OPERATIONS) + 1, np.float32)
        order = {name: index for index, name in enumerate(OPERATIONS)}
        for step in self.steps:
            if step.where == EVERYWHERE:  # what was done in places, the glance shows
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

    When an edit ends, :func:`follow` says.

    Args:
        look: At the photo before any step.
        policy: Gives a logit for each of `ACTIONS` and `STOP`, or one of the other numbers of
            `CHOICES`; called as :meth:`Look.observe` gives, with a first dimension of 1.

    Raises:
        ModelError: It gives another number of logits.
    """
    while len(look.steps) < LIMIT:
        glance, state = look.observe()
        logits = policy(glance[None], state[None])
        if logits.shape[-1] not in CHOICES:
            raise ModelError(
                f"the model chooses among {logits.shape[-1]} actions, where this version of undark"
                f" knows {CHOICES[0]}: learn it again with this version"
            )
        action = int(np.argmax(logits))
        following = follow(look, STOP if action == logits.shape[-1] - 1 else action)
        if following is None:
            break
        look = following
    return look.steps


def follow(look: Look, action: int) -> Look | None:
    """The look after one of `ACTIONS`, or None where the edit ends: by `STOP`, or at its end.

    One that would take back its last step, do what changes nothing, or go with an operation other
    than exposure further than twice its largest step, has come to its end, too; and so has one
    whose last step was in a place.
    """
    if action == STOP or _over(look.steps, ACTIONS[action]):
        return None
    following = look.after(ACTIONS[action])
    if np.array_equal(following.glance, look.glance) and np.array_equal(
        following.patches, look.patches
    ):
        return None
    return following


def _over(steps: tuple[Step, ...], following: Step) -> bool:
    """Whether an edit ends with `steps`, because of what they are or of what would follow."""
    if not steps:
        return False
    last = steps[-1]
    undone = (last.operation, last.amount) == (following.operation, -following.amount)
    if last.where != EVERYWHERE or (undone and following.where == EVERYWHERE):
        return True
    done = sum(step.amount for step in steps if step.operation == following.operation)
    furthest = _FURTHEST.get(following.operation, math.inf)
    return abs(done + following.amount) > furthest + 1e-6


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
