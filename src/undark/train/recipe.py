"""The Recipe: everything that one training run depends on, in one TOML file.

Every table of the file is a dataclass here, so the defaults, the types and the names of all keys
stand in one place. The one exception is ``[options]``, which belongs to the method: a recipe is
read without knowing any method, and the method checks what belongs to it
(:meth:`undark.train.methods.base.Method.settle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from undark.errors import RecipeError
from undark.io.halves import DarkHalf
from undark.models.card import UNSTATED
from undark.train.layers import put, read_tables, setting
from undark.train.tables import build, plain

__all__ = [
    "Augment",
    "Data",
    "Fit",
    "Loss",
    "Net",
    "Precision",
    "Recipe",
    "Source",
    "load_recipe",
    "override",
    "parse",
]


Precision = Literal["auto", "bf16-mixed", "16-mixed", "32-true"]
"""In what a run computes; see :class:`Fit`."""


@dataclass(frozen=True, slots=True)
class Net:
    """The network's sizes; see :class:`undark.train.nets.unet.UNet`."""

    widths: tuple[int, ...] = (32, 64, 96, 128)
    blocks: int = 1
    glance: int = 64
    context: int = 48
    dropout: float = 0.3
    shrink: float = 1.0
    decoder_dropout: float = 0.0
    padding: Literal["zeros", "reflect"] = "zeros"
    last: Literal["shuffle", "resize"] = "shuffle"


@dataclass(frozen=True, slots=True)
class Source:
    """One set of training data.

    Attributes:
        kind: ``pairs``: a folder of dark/light pairs. ``darken``: a folder of well-lit photos
            that are darkened by the physical model. ``keep``: well-lit photos that are their own
            truth, so that bright photos are left alone. ``render``: a folder of HDR images, of
            which photos are made (:mod:`undark.train.data.hdr`). ``dark`` and ``light``: a stack
            of dark and one of light photos without pairing. Of a folder of pairs, all but ``dark``
            take the light side, and the pairs that are held out serve validation.
        path: Folder, relative to the run's `data`.
        weight: Fraction of the draws, relative to the other sources.
        name: As the card names it; by default the folder's name.
        licence: As its authors state it.
        url: Where it comes from.
        scenes: Which pairs show one scene: ``given`` by the folder's ``scenes.csv`` or
            ``pairs.csv``, or found by ``likeness``, for shots cropped several times.
        flip: Its images may be mirrored and turned by right angles; not where light always
            falls from one side and shadows are to be learned.
        level: How bright the truth is, which a method with a glance must not be left to guess
            while it learns to restore: it is ``told``; or, for scenes that are always lit alike,
            ``guessed``, and the restoration learns to put the guess right.
        dark_half: Which half is dark of images that hold both sides, left and right; ``guess``
            takes the darker one, where such images are recognised.
        camera: For ``darken``: the ``camera.json`` of a run of cyclegan, relative to the run's
            `data`, whose noise, colours and tone the darkness gets.
        darkness: For ``darken``: how dark. ``dim``: a room; ``night``: anything from slightly too
            dark to nearly black, with the noise and the lifted, coloured black of such photos;
            ``local``: dark in places.
        leaves: For ``darken``: fraction of the photos over which flat shapes of any colour lie
            (:mod:`undark.train.data.leaves`).
        only: For a stack of photos: patterns of the file names that are taken; all by default.
        held_with: For ``pairs``: another folder of pairs, relative to the run's `data`; the scenes
            that are held out there are held out here.
        chroma: For ``pairs``: what the colour of truths is multiplied by.
    """

    kind: Literal["pairs", "darken", "keep", "dark", "light", "render"] = "pairs"
    path: str = "."
    weight: float = 1.0
    name: str = ""
    licence: str = UNSTATED
    url: str = ""
    scenes: Literal["given", "likeness"] = "given"
    flip: bool = True
    level: Literal["told", "guessed"] = "told"
    dark_half: DarkHalf = "guess"
    camera: str = ""
    darkness: Literal["dim", "night", "local"] = "dim"
    leaves: float = 0.0
    only: tuple[str, ...] = ()
    held_with: str = ""
    chroma: float = 1.0


@dataclass(frozen=True, slots=True)
class Augment:
    """Changes made to each draw.

    Attributes:
        flip: Mirror and turn by right angles.
        rotate: Largest small rotation in degrees, by chance.
        exposure: Largest change of the input's exposure in EV, in linear light.
        noise: Largest standard deviation of sensor-like noise added to the input.
        share: Chance of each of the last three.
    """

    flip: bool = True
    rotate: float = 3.0
    exposure: float = 0.5
    noise: float = 0.01
    share: float = 0.25


@dataclass(frozen=True, slots=True)
class Data:
    """What is learned from, and how it is drawn.

    Attributes:
        sources: Sets of data; by default the one folder of pairs that the run's `data` names.
        held_out: Fraction of the scenes of each pair source that is kept for validation; 0 learns
            from all and validates on nothing.
        run: Validation takes whole runs of this many neighbouring scenes.
        left_out: Largest share of a source's images that may be left out because they cannot be
            read or are not of their partner's size; one always may.
        max_side: Images are shrunk to this longer side before all else, and the network runs on
            photos shrunk alike, its change carried to full size; 0 keeps them as they are. For
            what depends on the whole image, such as the shadows that a lamp would cast.
        crop: Side of the square crops in pixels.
        batch: Crops to a batch; a step takes one, or as many as `fit.accumulate` says.
        fresh: Steps after which images that are made (darkened, rendered) are made anew.
        workers: Processes that draw ahead; 0 draws in the main one.
    """

    sources: tuple[Source, ...] = (Source(),)
    held_out: float = 0.15
    run: int = 4
    left_out: float = 0.1
    max_side: int = 0
    crop: int = 112
    batch: int = 8
    fresh: int = 2500
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """Weights of the loss's terms; see :mod:`undark.train.losses`. 0 leaves a term out.

    `exposure` holds the relit glance of a network that decides one brightness against its truth;
    `likeness`, `light` and `level` do that for relight: how the glance looks, the gains that come
    nearest to the truth, and the mean level decided.
    The colour term is out by default: the ablation of ``docs/training.md`` shows no gain from it.
    """

    pixel: float = 1.0
    structure: float = 0.4
    matched: float = 1.0
    colour: float = 0.0
    exposure: float = 0.5
    likeness: float = 0.0
    light: float = 0.0
    level: float = 0.0
    periodic: float = 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """The loop.

    Attributes:
        steps: Optimiser steps in all.
        lr: Peak learning rate of AdamW.
        glance_lr: Learning rate of what decides from the glance, relative to `lr`. It sees few
            scenes and remembers them soon.
        accumulate: Batches to a step: their gradients are averaged, so that a step may see more
            crops than fit in memory at once.
        warmup: Steps of linear warm-up before the cosine.
        weight_decay: AdamW's.
        clip: Largest norm of the gradient; 0 does not clip.
        ema: Decay of the moving average of the weights that is validated and exported.
        precision: ``bf16-mixed``, ``16-mixed`` or ``32-true``, as Lightning names them; ``auto``
            is bfloat16 where the GPU or the processor really has it and float32 elsewhere.
        compile: Whether PyTorch's compiler takes all that a step computes; ``auto`` compiles what
            is known to gain by it, in runs that are long enough.
        validate_every: Steps between validations.
        validate_on: Images per validation during the run; the last one takes all.
        checkpoint_minutes: Minutes between checkpoints.
    """

    steps: int = 7500
    lr: float = 8e-4
    glance_lr: float = 1.0
    accumulate: int = 1
    warmup: int = 500
    weight_decay: float = 1e-3
    clip: float = 1.0
    ema: float = 0.999
    precision: Precision = "auto"
    compile: Literal["auto", True, False] = "auto"
    validate_every: int = 1000
    validate_on: int = 16
    checkpoint_minutes: float = 3.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything one training run depends on.

    Attributes:
        name: Of the run and of the model it makes.
        method: A name in :data:`undark.train.methods.METHODS`.
        title: One line for the card.
        summary: For the card: when to use the model.
        licence: Of the weights.
        author: Who made them, for the card.
        seed: Of every random choice.
        options: What the method alone has to set, as a plain table; the method reads it into its
            own dataclass ``Options``.
    """

    name: str
    method: str
    title: str = ""
    summary: str = ""
    licence: str = "as the data's"
    author: str = ""
    seed: int = 1
    net: Net = Net()
    data: Data = Data()
    augment: Augment = Augment()
    loss: Loss = Loss()
    fit: Fit = Fit()
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain tables, as TOML and JSON hold them."""
        raw: dict[str, Any] = plain(self)
        if not raw["options"]:
            del raw["options"]  # nothing of the method's own
        return raw

    def to_toml(self) -> str:
        """The recipe as a TOML file's text, every key spelled out."""
        return tomli_w.dumps(self.to_dict())


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file, on the recipe that it names as its ``base``.

    Raises:
        RecipeError: A file cannot be read, is not TOML, or has an unknown key or wrong value.
    """
    raw, _ = read_tables(Path(path))
    try:
        return parse(raw)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def parse(raw: dict[str, Any]) -> Recipe:
    """A recipe from plain tables; what its method must check is not checked here.

    Raises:
        RecipeError: An unknown key, a value of the wrong type or out of range.
    """
    recipe: Recipe = build(Recipe, raw, "")
    _check(recipe)
    return recipe


def override(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with ``key=value`` settings, such as ``fit.steps=100``, put in.

    Values are TOML; what is not TOML is taken as text. An item of a list is named by its number
    from 0: ``data.sources.0.path=night``. Keys below ``options`` are the method's to check.

    Raises:
        RecipeError: A setting is not ``key=value``, or its key or value does not fit.
    """
    raw = recipe.to_dict()
    raw.setdefault("options", {})
    for text in settings:
        put(raw, *setting(text))
    return parse(raw)


def _check(recipe: Recipe) -> None:
    net, data, fit = recipe.net, recipe.data, recipe.fit
    rules = (
        (bool(net.widths) and min(net.widths) >= 1, "net.widths: needs at least one width"),
        (net.blocks >= 1, "net.blocks: must be at least 1"),
        (net.glance == 0 or net.glance >= 16, "net.glance: must be 0 or at least 16"),
        (0 <= net.dropout < 1, "net.dropout: must be in [0, 1)"),
        (0 <= net.shrink <= 1, "net.shrink: must be in [0, 1]"),
        (0 <= net.decoder_dropout < 1, "net.decoder_dropout: must be in [0, 1)"),
        (bool(data.sources), "data.sources: needs at least one source"),
        (all(s.weight > 0 for s in data.sources), "data.sources: weights must be above 0"),
        (
            all(0 < s.chroma <= 2 for s in data.sources),
            "data.sources: chroma must be in (0, 2]",
        ),
        (
            all(0 <= s.leaves <= 1 for s in data.sources),
            "data.sources: leaves must be in [0, 1]",
        ),
        (0 <= data.held_out < 1, "data.held_out: must be in [0, 1)"),
        (
            data.max_side == 0 or data.max_side >= 64,
            "data.max_side: must be 0 or at least 64",
        ),
        (0 <= data.left_out < 1, "data.left_out: must be in [0, 1)"),
        (data.run >= 1, "data.run: must be at least 1"),
        (data.crop >= 16, "data.crop: must be at least 16"),
        (data.batch >= 1, "data.batch: must be at least 1"),
        (data.fresh >= 1, "data.fresh: must be at least 1"),
        (data.workers >= 0, "data.workers: must be at least 0"),
        (fit.steps >= 1, "fit.steps: must be at least 1"),
        (fit.accumulate >= 1, "fit.accumulate: must be at least 1"),
        (fit.lr > 0, "fit.lr: must be above 0"),
        (fit.glance_lr > 0, "fit.glance_lr: must be above 0"),
        (0 <= fit.ema < 1, "fit.ema: must be in [0, 1)"),
        (fit.validate_every >= 1, "fit.validate_every: must be at least 1"),
        (fit.checkpoint_minutes > 0, "fit.checkpoint_minutes: must be above 0"),
    )
    for holds, message in rules:
        if not holds:
            raise RecipeError(message)
