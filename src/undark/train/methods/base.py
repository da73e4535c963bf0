"""What every method shares: optimiser, step count, validation on whole images."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from undark.adjust import Adjust
from undark.errors import DivergedError, RecipeError
from undark.evaluate.metrics import psnr, ssim
from undark.graph import Graph
from undark.models.card import Glance, Scaling
from undark.modes import MODES, Light
from undark.photo import Photo, from_float, to_float
from undark.train import shares
from undark.train.data.datasets import Dataset
from undark.train.data.loading import LoadedPair
from undark.train.data.stream import Batch, BatchStream
from undark.train.nets.graph import NetworkGraph
from undark.train.recipe import Recipe, parse
from undark.train.tables import build, plain

__all__ = ["Method", "NoOptions"]

Network = TypeVar("Network", bound=nn.Module)
OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True, slots=True)
class NoOptions:
    """For methods that have nothing of their own to set."""


class Method(lightning.LightningModule, ABC, Generic[Network, OptionsT]):
    """A way to learn. Subclasses build a network and say what a step's losses are.

    It is generic in its network and in its `Options`: ``class Mine(Method[MyNet, MyOptions])``
    with ``Options = MyOptions`` knows the types of `network` and `options`.

    Attributes:
        recipe: What the run depends on.
        options: Its table ``options``, an instance of `Options`.
        network: The part that is exported; called with ``image`` and, where `glance` is above 0,
            ``glance``.
        glance: Side of the glance in pixels; 0 for none.
        multiple: Height and width that the network takes are multiples of this.
        batches: Training steps done, also across a resume.
        part: Batches done of the step under way; 0 between two steps.
        kind: The card's word for the method.
        papers: Works that it is built on.
        outputs: Names of what the exported graph gives, in order.
        Options: A frozen dataclass of what this method alone has to set: the recipe's table
            ``options``. Its fields need defaults.
        reads: Kinds of sources that it can learn from.
        needs: Kinds of sources that it cannot do without.
        diet: The same in words, with the arguments of :func:`undark.train.run` that give it.
        defaults: What differs from the recipe's own defaults, as ``table.key`` → value.
        tuning: What differs further where a run starts from weights, which it must not spoil.
        places: Whether a step needs to know where in the photo its crops lie.
        guides: Whether it needs the level by which each pixel reads a grid of light.
        divides: Whether several processes can share its batches.
        compiles: Whether PyTorch's compiler can take its `losses` whole.
    """

    kind: ClassVar[str]
    papers: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ("enhanced",)
    Options: ClassVar[type[Any]] = NoOptions
    reads: ClassVar[tuple[str, ...]] = ("pairs", "darken", "keep", "render")
    needs: ClassVar[tuple[str, ...]] = ()
    diet: ClassVar[str] = "pairs of dark and light images in one folder (data)"
    defaults: ClassVar[dict[str, Any]] = {}
    tuning: ClassVar[dict[str, Any]] = {}
    places: ClassVar[bool] = False
    guides: ClassVar[bool] = False
    divides: ClassVar[bool] = True
    compiles: ClassVar[bool] = False

    network: Network
    options: OptionsT
    glance: int
    multiple: int

    def __init__(self, recipe: Recipe) -> None:
        """Keep the recipe; subclasses build the network after this.

        Raises:
            RecipeError: The recipe's table ``options`` does not hold up.
        """
        super().__init__()
        self.recipe = recipe
        self.options = self.read_options(recipe)
        self.batches: int = 0
        self.part: int = 0
        self.losses_now: dict[str, float] = {}

    @classmethod
    def default_recipe(cls, name: str, *, tuning: bool = False) -> Recipe:
        """The recipe of a run that names only the method, `name`.

        With `tuning`, it is that of a run that goes on from weights which can do much already.
        """
        raw: dict[str, Any] = {"name": name, "method": name}
        for path, value in {**cls.defaults, **(cls.tuning if tuning else {})}.items():
            table, _, key = path.partition(".")
            raw.setdefault(table, {})[key] = value
        return parse(raw)

    @classmethod
    def read_options(cls, recipe: Recipe) -> OptionsT:
        """The recipe's table ``options`` as this method's `Options`.

        Raises:
            RecipeError: A key is unknown, or a value of the wrong type or out of range.
        """
        return build(cls.Options, recipe.options, "options")

    @classmethod
    def settle(cls, recipe: Recipe) -> Recipe:
        """`recipe`, checked, with every one of this method's options spelled out.

        It costs next to nothing: nothing is built and no data are read.

        Raises:
            RecipeError: The options or the sizes are not what this method needs.
        """
        options = cls.read_options(recipe)
        cls.check(recipe, options)
        return replace(recipe, options=plain(options))

    @classmethod
    def check(cls, recipe: Recipe, options: OptionsT) -> None:
        """Check what this method needs of `recipe`, beside its `options`; by default nothing.

        Raises:
            RecipeError: In one line, what is needed.
        """
        del recipe, options

    @classmethod
    def check_sources(cls, recipe: Recipe) -> None:
        """Check that this method learns from the kinds of data that `recipe` names.

        Raises:
            RecipeError: It does not, or lacks one that it needs.
        """
        kinds = {source.kind for source in recipe.data.sources}
        if not kinds <= set(cls.reads) or not kinds >= set(cls.needs):
            raise RecipeError(f"the method {recipe.method} learns from {cls.diet}")

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The step's loss terms; ``loss`` is the one to minimise."""

    @abstractmethod
    def scaling(self) -> Scaling:
        """How the exported graph runs on large photos."""

    # What is exported.

    def shapes(self) -> dict[str, dict[int, Any]]:
        """Inputs of the exported graph by name, in order, each with its free dimensions."""
        batch = torch.export.Dim("n")
        rows, columns = (torch.export.Dim(name) * self.multiple for name in "hw")
        image: dict[str, dict[int, Any]] = {"image": {0: batch, 2: rows, 3: columns}}
        return {**image, "glance": {0: batch}} if self.glance else image

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Inputs in that order, of several sizes: the first to export by, all to compare."""
        least = -(-self.scaling().minimum // self.multiple)
        found: list[tuple[Tensor, ...]] = []
        for number, rows, columns in (
            (2, least + 3, least + 5),
            (1, least, least),
            (1, least + 4, least + 2),
            (1, 8, 12),
        ):
            sizes = [(number, 3, rows * self.multiple, columns * self.multiple)]
            if self.glance:
                sizes.append((number, 3, self.glance, self.glance))
            values = [random.random(size, dtype=np.float32) * np.float32(0.3) for size in sizes]
            found.append(tuple(torch.from_numpy(value) for value in values))
        return found

    def finish(self, folder: Path) -> None:
        """Leave in the run's `folder` what else was learned; by default nothing."""
        del folder

    # What Lightning calls.

    def stream(self, datasets: Sequence[Dataset]) -> IterableDataset[Any]:
        """What the loop is fed with, from step `batches` on: by default batches of crops."""
        plan = self.recipe
        return BatchStream(
            datasets,
            crop=plan.data.crop,
            batch=plan.data.batch,
            augment=plan.augment,
            seed=plan.seed,
            start=self.batches,
            places=self.places,
            fresh=plan.data.fresh,
            parts=plan.fit.accumulate,
            share=shares.place(),
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """A step, or a part; its randomness depends on seed and step alone: a resume is exact.

        Where processes share a batch, `losses_now` are the means over all of them.

        Raises:
            DivergedError: The loss is not finite.
        """
        del batch_idx
        parts = self.recipe.fit.accumulate
        torch.manual_seed((self.recipe.seed << 32) + self.batches * parts + self.part)
        terms = self.losses(batch)
        values = torch.stack([value.detach().float() for value in terms.values()]).tolist()
        self.losses_now = dict(zip(terms, shares.means(values), strict=True))
        if not math.isfinite(self.losses_now["loss"]):
            raise DivergedError(
                f"the loss became {self.losses_now['loss']} at step {self.batches};"
                " the last checkpoint is kept: resume with a lower fit.lr"
            )
        self.part = (self.part + 1) % parts
        self.batches += self.part == 0
        return terms["loss"]

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser; each is clipped by itself."""
        parts = dict(self.network.named_children())  # a method may bear the name of one
        encoder = parts.get("decision", parts.get("encoder"))
        # The level that photos should have in general is no scene's and follows at full speed.
        deciding = [] if encoder is None else [p for p in encoder.parameters() if p.ndim]
        known = {id(parameter) for parameter in deciding}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        fit = self.recipe.fit
        return [
            {"params": rest},
            *([{"params": deciding, "lr": fit.lr * fit.glance_lr}] if deciding else []),
        ]

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of each group's gradient, so that no network limits another's step."""
        del gradient_clip_algorithm
        if gradient_clip_val:
            for group in optimizer.param_groups:
                nn.utils.clip_grad_norm_(group["params"], gradient_clip_val)

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine down to a hundredth (Loshchilov 2017, 2019)."""
        fit = self.recipe.fit
        optimizer = torch.optim.AdamW(
            self.groups(), lr=fit.lr, weight_decay=fit.weight_decay, fused=True
        )

        def factor(step: int) -> float:
            warm = min(1.0, (step + 1) / max(1, fit.warmup))
            done = min(1.0, step / fit.steps)
            return warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the recipe and the step into the checkpoint."""
        checkpoint["recipe"] = self.recipe.to_dict()
        checkpoint["batches"] = self.batches

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the step from the checkpoint."""
        self.batches = checkpoint["batches"]

    # Whole images.

    def graph(self) -> Graph:
        """The network as it stands, in evaluation mode, for modes to run."""
        return NetworkGraph(self.network.eval(), list(self.shapes()), self.outputs)

    def enhance(self, low: NDArray[Any], *, light: Light | None = None) -> NDArray[np.uint8]:
        """A whole image as the exported model will make it, by the very mode that will run it.

        Args:
            low: H×W×3 of any depth.
            light: What is decided for it already; by default the network decides.

        Returns:
            H×W×3, rounded to 8 bits.
        """
        scaling = self.scaling()
        glance = Glance(self.glance, self.glance) if self.glance else None
        mode = MODES[scaling.mode](scaling, glance)
        graph, result = self.graph(), np.empty(low.shape, np.uint8)
        for top, band in mode.bands(graph, Photo(low), Adjust(), _ignore, light=light):
            result[top : top + len(band)] = from_float(band, result.dtype)
        return result

    def measure(self, pair: LoadedPair) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """PSNR and SSIM of one pair in the plain protocol, brightness-matched PSNR, the output."""
        output = self.enhance(pair.low)
        truth = pair.high
        ratio = float(to_float(truth).mean()) / max(float(to_float(output).mean()), 1e-3)
        matched = np.clip(to_float(output) * np.float32(ratio), 0.0, 1.0)
        values = {
            "psnr": min(psnr(output, truth), 99.0),
            "ssim": ssim(output, truth),
            "psnr_matched": min(psnr(matched, truth), 99.0),
            "error_ev": -math.log2(max(ratio, 1e-3)),
        }
        return values, output


def _ignore(fraction: float) -> None:
    """Progress on one image, which nobody watches in training."""
    del fraction
