"""A Gymnasium environment in which an agent retouches a photo step by step.

Importing this module makes it known to Gymnasium, so ``gymnasium.make("undark/Retouch-v0")`` gives
it, as does ``gymnasium.make("undark.train.environment:undark/Retouch-v0")`` without the import.
What is seen and what can be done stand in :mod:`undark.pixels.look`, which the engine uses too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, cast

import cv2
import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.photo import FloatImage, Photo, area_resize, to_float
from undark.pixels.look import ACTIONS, IN_PLACES, LIMIT, STATE, STOP, Look, cut_patches
from undark.train.data.darken import darken, draw_darkness
from undark.train.data.datasets import Dataset
from undark.train.data.stream import expose
from undark.train.losses.reward import HINT, Truth, no_reference
from undark.train.recipe import Augment

__all__ = ["ENVIRONMENT", "Gallery", "Observation", "Retouch", "Scene", "Scenes"]

ENVIRONMENT: Final = "undark/Retouch-v0"
"""The environment's name in Gymnasium."""

Observation = dict[str, NDArray[np.float32]]
"""``glance`` (3×h×w in [0, 1]) and ``state`` (`STATE` numbers), as :meth:`Look.observe` gives
them; with hints also ``hint``, see :class:`Retouch`."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A photo to retouch, and its truth where there is one."""

    look: Look
    truth: Truth | None = None


Scenes = Callable[[np.random.Generator], Scene]
"""BatchStream the scene of an episode."""


class Gallery:
    """Scenes from datasets of training data, by their weights.

    Args:
        datasets: As :func:`undark.train.data.datasets.load_datasets` gives them, with glances.
        augment: Mirroring, and another exposure or more noise of the photo by chance.
        structure: Weight of SSIM beside PSNR/10 in a truth's score.
        window: Smallest share of a photo's height, and of its width, that a scene shows.
        version: Which making of the synthetic darkness is drawn; may be changed at any time.
    """

    def __init__(
        self,
        datasets: Sequence[Dataset],
        augment: Augment,
        *,
        structure: float = 1.0,
        window: float = 1.0,
        version: int = 0,
    ) -> None:
        """Draw from `datasets`."""
        self.version = version
        self._window = window
        self._structure = structure
        self._datasets = [dataset for dataset in datasets if len(dataset)]
        weights = np.array([dataset.source.weight for dataset in self._datasets])
        self._chances = weights / weights.sum()
        self._augment = augment

    def __call__(self, random: np.random.Generator) -> Scene:
        """One scene."""
        dataset = self._datasets[int(random.choice(len(self._datasets), p=self._chances))]
        drawn = dataset.draw(int(random.integers(len(dataset))), self.version)
        low, low_glance = drawn.low, drawn.low_glance
        high, high_glance = drawn.high, drawn.high_glance
        assert low_glance is not None
        if self._window < 1.0:
            part, size = self._part(low.shape, random), low_glance.shape[:2]
            low, low_glance = low[part], area_resize(low[part], *size)
            if high is not None:
                high, high_glance = high[part], area_resize(high[part], *size)
        mirrored = self._augment.flip and dataset.source.flip and bool(random.integers(2))
        mirror = slice(None, None, -1 if mirrored else 1)
        glance, patches = self._vary(low_glance, cut_patches(low[:, mirror]), random)
        look = Look.at(glance[:, mirror], patches)
        if high is None or high_glance is None:
            return Scene(look)
        truth = Truth(high_glance[:, mirror], cut_patches(high[:, mirror]), self._structure)
        return Scene(look, truth)

    def _part(self, shape: tuple[int, ...], random: np.random.Generator) -> tuple[slice, slice]:
        """Rows and columns of a window of the photo."""
        found: list[slice] = []
        for whole in shape[:2]:
            side = math.ceil(whole * random.uniform(self._window, 1.0))
            start = int(random.integers(whole - side + 1))
            found.append(slice(start, start + side))
        return found[0], found[1]

    def _vary(
        self, glance: FloatImage, patches: NDArray[np.float32], random: np.random.Generator
    ) -> tuple[FloatImage, NDArray[np.float32]]:
        augment = self._augment
        if augment.exposure > 0 and random.random() < augment.share:
            gain = np.float32(2.0 ** random.uniform(-augment.exposure, augment.exposure))
            glance, patches = expose(glance, gain), expose(patches, gain)
        if augment.noise > 0 and random.random() < augment.share:
            noise = random.standard_normal(patches.shape, dtype=np.float32)
            deviation = augment.noise * random.random() * np.sqrt(0.1 + patches)
            patches = np.clip(patches + deviation * noise, 0.0, 1.0).astype(np.float32)
        return glance, patches


@lru_cache(maxsize=1)
def _examples() -> list[NDArray[np.uint8]]:
    """A few well-lit photos that come with scikit-image, small."""
    from skimage import data

    found = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    return [
        np.asarray(
            cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
        for photo in found
    ]


def _darkened_examples(side: int) -> Scenes:
    def draw(random: np.random.Generator) -> Scene:
        photos = _examples()
        light = photos[int(random.integers(len(photos)))]
        low = darken(to_float(light), draw_darkness(random), random)
        return _scene(low, light, side)

    return draw


def _scene(photo: NDArray[Any], truth: NDArray[Any] | None, side: int) -> Scene:
    look = Look.of(Photo(photo), side, side)
    if truth is None:
        return Scene(look)
    if truth.shape != photo.shape:
        raise UsageError(f"photo {photo.shape[:2]} and truth {truth.shape[:2]} differ in size")
    return Scene(look, Truth(area_resize(truth, side, side), cut_patches(truth)))


class Retouch(gymnasium.Env[Observation, np.int64]):
    """Retouching one photo is an episode; an action is a number of `ACTIONS`, or `STOP`.

    The reward of a step is what it gains towards the truth (PSNR in tens of dB plus SSIM), or of
    a score without reference where the photo has no truth, less `cost`. So the sum over an
    episode is what it gained, and stopping at once gives 0. It ends with `STOP`, with a step in a
    place, or after `LIMIT` steps. ``info`` holds the ``score``.

    ``reset(options={"photo": H×W×3, "truth": H×W×3})`` retouches a photo of one's own; the truth
    may be left out.

    Args:
        scenes: BatchStream scenes; by default photos of scikit-image, darkened.
        glance: Side of the glance in pixels; scenes that are drawn must have it too.
        cost: Of each step, so that none is taken for nothing.
        hints: Add ``hint`` to the observation: how far the look is from the truth. For a critic
            in training alone (Pinto et al., "Asymmetric Actor Critic", RSS 2018).
        render_mode: ``rgb_array`` or None.
    """

    metadata: ClassVar[dict[str, Any]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        "render_modes": ["rgb_array"],
        "render_fps": 2,
    }

    def __init__(
        self,
        scenes: Scenes | None = None,
        *,
        glance: int = 64,
        cost: float = 0.005,
        hints: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Prepare the spaces; nothing is drawn before :meth:`reset`."""
        self._scenes = scenes or _darkened_examples(glance)
        self._side = glance
        self._cost = cost
        self._hints = hints
        self.render_mode = render_mode
        parts: dict[str, spaces.Space[Any]] = {
            "glance": spaces.Box(0.0, 1.0, (3, glance, glance), np.float32),
            "state": spaces.Box(-np.inf, np.inf, (STATE,), np.float32),
        }
        if hints:
            parts["hint"] = spaces.Box(-np.inf, np.inf, (HINT,), np.float32)
        self.observation_space: spaces.Space[Observation] = cast(Any, spaces.Dict(parts))
        self.action_space: spaces.Space[np.int64] = spaces.Discrete(len(ACTIONS) + 1)
        self._scene: Scene | None = None
        self._shown: Scene | None = None
        self._score = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin with a drawn photo, or with that of `options`."""
        super().reset(seed=seed)
        if options and "photo" in options:
            self._scene = _scene(options["photo"], options.get("truth"), self._side)
        else:
            self._scene = self._scenes(self.np_random)
        self._shown = self._scene
        self._score = self._measure(self._scene)
        return self._observe(self._scene), {"score": self._score}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a step or stop.

        Raises:
            UsageError: No episode is under way.
        """
        scene = self._scene
        if scene is None:
            raise UsageError("no episode is under way: reset the environment first")
        reward, over = 0.0, int(action) == STOP
        if not over:
            scene = Scene(scene.look.after(ACTIONS[int(action)]), scene.truth)
            before, self._score = self._score, self._measure(scene)
            reward = self._score - before - self._cost
            over = int(action) in IN_PLACES or len(scene.look.steps) == LIMIT
        observation = self._observe(scene)
        self._scene = None if over else scene
        self._shown = scene
        return observation, reward, over, False, {"score": self._score}

    def render(self) -> NDArray[np.uint8] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The glance and the patches as they now look, side by side, H×W×3."""
        scene = self._shown
        if self.render_mode != "rgb_array" or scene is None:
            return None
        side = scene.look.patches.shape[1]
        parts = [cv2.resize(scene.look.glance, (side, side)), *scene.look.patches]
        return (np.concatenate(parts, axis=1) * 255 + 0.5).astype(np.uint8)

    @staticmethod
    def _measure(scene: Scene) -> float:
        return no_reference(scene.look) if scene.truth is None else scene.truth.score(scene.look)

    def _observe(self, scene: Scene) -> Observation:
        glance, state = scene.look.observe()
        seen = {"glance": glance, "state": state}
        if self._hints:
            hint = np.zeros(HINT, np.float32)
            if scene.truth is not None:
                hint = scene.truth.hint(scene.look, self._score)
            seen["hint"] = hint
        return seen


gymnasium.register(ENVIRONMENT, entry_point=f"{__name__}:Retouch")
