"""The default model's way to learn: a glance that decides, a restoration that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undark.errors import RecipeError
from undark.evaluate.metrics import psnr
from undark.models.card import Scaling
from undark.modes.relight import PlacedLight
from undark.photo import area_resize
from undark.pixels.grid import LEVELS, PLACES
from undark.train.compiling import fused
from undark.train.data.loading import LoadedPair
from undark.train.data.stream import Batch, to_tensor
from undark.train.losses import against_truth as losses
from undark.train.methods.base import Method
from undark.train.nets import light as lit
from undark.train.nets.exposure import expose, mean_luma
from undark.train.nets.relight import RelightNet, multiple_of
from undark.train.nets.srgb import to_linear
from undark.train.recipe import Recipe
from undark.train.shares import rows

__all__ = ["Options", "Relight"]

_SOME_LIGHT = 0.3  # EV
_DARKEST = 0.01


@dataclass(frozen=True, slots=True)
class Options:
    """What relight alone has to set.

    Attributes:
        learn: ``all``, or the ``decision`` alone, which sees no crops: a step costs a fraction.
        retarget: Chance that a picture's truth is given another exposure, which the restoration is
            told; so it learns what a user who wants more or less light will ask of it.
        darker: The darkest such exposure, in EV.
        lighter: The lightest.
    """

    learn: Literal["all", "decision"] = "all"
    retarget: float = 0.3
    darker: float = -0.8
    lighter: float = 0.5

    def __post_init__(self) -> None:
        """Check them."""
        if not 0.0 <= self.retarget <= 1.0:
            raise RecipeError("options.retarget: must be in [0, 1]")
        if not self.darker <= 0.0 <= self.lighter:
            raise RecipeError("options.darker must be at most 0, options.lighter at least 0")


class Relight(Method[RelightNet, Options]):
    """Exposure learned from whole photos, restoration from crops told the truth's brightness."""

    kind = "supervised"
    compiles: ClassVar[bool] = True
    papers: ClassVar[tuple[str, ...]] = (
        "Ronneberger et al., U-Net, MICCAI 2015",
        "Perez et al., FiLM, AAAI 2018",
        "Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019",
        "Wei et al., A Physics-Based Noise Formation Model, CVPR 2020",
        "Wang et al., SSIM, TIP 2004",
        "Chen et al., Real-time Edge-aware Image Processing with the Bilateral Grid, SIGGRAPH 2007",
        "Gharbi et al., Deep Bilateral Learning, SIGGRAPH 2017",
    )
    outputs: ClassVar[tuple[str, ...]] = ("enhanced", "grid", "colour", "black")
    Options: ClassVar[type[Any]] = Options
    places: ClassVar[bool] = True
    guides: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {
        "net.widths": [48, 96, 152],
        "data.crop": 128,
        "loss.colour": 0.0,
        "loss.exposure": 0.0,
        "loss.likeness": 1.0,
        "loss.light": 0.1,
        "loss.level": 0.5,
    }
    # A few pairs teach the restoration much, and the decision to forget all other light: it stays
    # nearly as it is, and their light sides are seen darkened and as they are. docs/fine-tuning.md
    # has what was measured.
    tuning: ClassVar[dict[str, Any]] = {
        "data.sources": [
            {"weight": 0.7},
            {"kind": "darken", "weight": 0.15, "darkness": "night"},
            {"kind": "keep", "weight": 0.15},
        ],
        "loss.matched": 0.5,
        "fit.steps": 600,
        "fit.lr": 4e-4,
        "fit.glance_lr": 0.001,
        "fit.warmup": 50,
        "fit.clip": 0.4,
        "fit.ema": 0.99,
        "fit.validate_every": 200,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the network of the recipe's sizes."""
        super().__init__(recipe)
        net = recipe.net
        self.network: RelightNet = RelightNet(
            widths=net.widths,
            blocks=net.blocks,
            glance=net.glance,
            context=net.context,
            dropout=net.dropout,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if self.options.learn == "decision":
            self.network.requires_grad_(False)
            self.network.decision.requires_grad_(True)
        self._against_truth = fused(losses.against_truth, recipe.fit)
        self.glance: int = net.glance
        self.multiple: int = self.network.multiple

    @classmethod
    def check(cls, recipe: Recipe, options: Options) -> None:
        """A glance, and crops of whole cells of the deepest level."""
        del options
        if not recipe.net.glance:
            raise RecipeError("net.glance: relight decides from the glance; it cannot be 0")
        multiple = multiple_of(recipe.net.widths)
        if recipe.data.crop % multiple:
            raise RecipeError(
                f"data.crop: must be a multiple of {multiple} for {len(recipe.net.widths)}"
                f" net.widths, not {recipe.data.crop}"
            )

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """What the restoration drew, and what the glance decided, against the truth.

        How bright the truth is cannot be known, so the restoration is told: it learns from a photo
        relit by the grid that comes nearest to the truth, found in closed form. The decision learns
        to give such a grid, and to make the glance look as its truth does.
        """
        network, weight = self.network, self.recipe.loss
        glance, truth, truth_glance = batch["glance"], batch["truth"], batch["truth_glance"]
        decided = network.decide(glance)
        stops = network.look(glance, decided.grid)
        seen = lit.light_up(glance, lit.firm(stops), decided.colour, decided.black)
        terms = {"likeness": losses.likeness(seen, truth_glance)}
        with torch.no_grad():
            fitted, _ = lit.fit_grid(glance, truth_glance)
            wanted = network.look(glance, fitted)
        if weight.light:
            terms["light"] = (stops - wanted).abs().mean()
        if weight.level:
            terms["level"] = self._level(decided.level, stops, truth_glance)
        if self.options.learn == "decision":
            return {"loss": losses.weighted(terms, weight), **terms}

        with torch.no_grad():
            truth, truth_glance, again = self._retarget(truth, truth_glance)
            if len(again):
                refitted, _ = lit.fit_grid(glance[again], truth_glance[again])
                fitted = fitted.index_copy(0, again, refitted)
            told = batch["told"].view(-1, 1, 1, 1)
            light = decided._replace(grid=torch.where(told, fitted, decided.grid))
            gain = lit.firm(lit.read(light.grid, batch["guide"], batch["where"]))
            relit = lit.light_up(batch["image"], gain, light.colour, light.black)
        relit = relit.contiguous(memory_format=torch.channels_last)
        output = network.restore(relit, gain, glance, light.grid).float()
        terms |= self._against_truth(output, truth, weight)
        return {"loss": losses.weighted(terms, weight), **terms}

    @staticmethod
    def _level(level: Tensor, stops: Tensor, truth: Tensor) -> Tensor:
        """Mean difference in EV of the level that was decided, where there is light to add."""
        wanted = mean_luma(truth).clamp(min=_DARKEST)
        apart = (torch.log2(level) - torch.log2(wanted)).flatten()
        counts = stops.detach().clamp(min=0.0).mean((1, 2, 3)) > _SOME_LIGHT
        return (apart.abs() * counts).mean()

    def _retarget(self, truth: Tensor, glance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Another exposure of some truths, and which those are."""
        options = self.options
        drawn = rows(lambda count: torch.rand(count, 2), len(truth))
        chosen = torch.nonzero(drawn[:, 0] < options.retarget)[:, 0]
        if not len(chosen):
            return truth, glance, chosen.to(truth.device)
        stops = options.darker + (options.lighter - options.darker) * drawn[chosen, 1]
        gain = torch.exp2(stops).to(truth.device).view(-1, 1, 1, 1).expand(-1, 3, -1, -1)
        chosen = chosen.to(truth.device)
        return (
            truth.index_copy(0, chosen, expose(to_linear(truth[chosen]), gain)),
            glance.index_copy(0, chosen, expose(to_linear(glance[chosen]), gain)),
            chosen,
        )

    def scaling(self) -> Scaling:
        """Lit as a whole, restored in tiles; small photos with their mirror images around them."""
        multiple = self.multiple
        return Scaling(
            mode="relight",
            multiple=multiple,
            minimum=4 * multiple,
            tile=1536,
            overlap=128,
            margin=8,
        )

    def shapes(self) -> dict[str, dict[int, Any]]:
        """Image, the gain of its pixels, glance and what the user asks for."""
        shapes = super().shapes()
        image, glance = shapes["image"], shapes["glance"]
        batch = {0: glance[0]}
        return {"image": image, "gain": image, "glance": glance, "control": batch, "applied": batch}

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Pictures of several sizes, each with something else asked for."""
        asked = (
            (0.0, 1.0, 1.0, 1.0), (1.0, 0.5, 0.0, 0.5), (-1.0, 1.0, 0.5, 0.0), (0.5, 0.0, 1.0, 1.0)
        )  # fmt: skip
        found: list[tuple[Tensor, ...]] = []
        for (image, glance), control in zip(super().examples(random), asked, strict=True):
            count = image.shape[0]
            gain, applied = (
                torch.from_numpy(random.uniform(0.0, 4.0, size).astype(np.float32))
                for size in ((count, 1, *image.shape[2:]), (count, LEVELS, PLACES, PLACES))
            )
            found.append((image, gain, glance, torch.tensor([control] * count), applied))
        return found

    def measure(self, pair: LoadedPair) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """As all methods do, and PSNR where the network is told the truth's light."""
        values, output = super().measure(pair)
        told = self.enhance(pair.low, light=self._told(pair))
        return {**values, "psnr_told": min(psnr(told, pair.high), 99.0)}, output

    @torch.no_grad()
    def _told(self, pair: LoadedPair) -> PlacedLight:
        """The light that comes near to the truth's, with the network's own colours."""
        network = self.network.eval()
        device = next(network.parameters()).device
        glance, truth = (
            to_tensor(area_resize(pixels, self.glance, self.glance))[None].to(device)
            for pixels in (pair.low, pair.high)
        )
        light = network.decide(glance)
        grid, _ = lit.fit_grid(glance, truth)
        parts = (grid[0], light.colour[0], light.black[0].flatten())
        return PlacedLight(*(part.float().cpu().numpy() for part in parts))
