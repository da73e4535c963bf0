"""The default model's way to learn: a glance that decides, a restoration that is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undark.errors import RecipeError
from undark.evaluate.metrics import psnr
from undark.models.card import Scaling
from undark.photo import FloatImage, area_resize, from_float, to_float
from undark.pixels.grid import Guide, light_up, mean_light, read_grid
from undark.train import losses
from undark.train.compiling import fused
from undark.train.data.draws import Batch, to_tensor
from undark.train.data.sources import LoadedPair
from undark.train.methods.base import Method, fit_to_multiple
from undark.train.nets import light as lit
from undark.train.nets.exposure import expose
from undark.train.nets.relight import RelightNet
from undark.train.nets.srgb import to_linear
from undark.train.recipe import Recipe

__all__ = ["Options", "Relight"]


@dataclass(frozen=True, slots=True)
class Options:
    """What relight alone has to set.

    Attributes:
        retarget: Chance that a picture's truth is given another exposure, which the restoration is
            told; so it learns what a user who wants more or less light will ask of it.
        darker: The darkest such exposure, in EV.
        lighter: The lightest.
    """

    retarget: float = 0.3
    darker: float = -0.8
    lighter: float = 0.5

    def __post_init__(self) -> None:
        """Check them."""
        if not 0.0 <= self.retarget <= 1.0:
            raise RecipeError("options.retarget: must be in [0, 1]")
        if not self.darker <= 0.0 <= self.lighter:
            raise RecipeError("options.darker must be at most 0, options.lighter at least 0")


class Relight(Method[RelightNet]):
    """Exposure learned from whole photos, restoration from crops told the truth's brightness."""

    kind = "supervised"
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
        "loss.light": 0.1,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the network of the recipe's sizes."""
        super().__init__(recipe)
        net = recipe.net
        if not net.glance:
            raise RecipeError("net.glance: relight decides from the glance; it cannot be 0")
        self.network = RelightNet(
            widths=net.widths,
            blocks=net.blocks,
            glance=net.glance,
            context=net.context,
            dropout=net.dropout,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._against_truth = fused(losses.against_truth, steps=recipe.fit.steps)
        self.glance = net.glance
        self.multiple = self.network.multiple

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
        terms = {"exposure": losses.exposure(seen, truth_glance)}
        with torch.no_grad():
            fitted, _ = lit.fit_grid(glance, truth_glance)
            wanted = network.look(glance, fitted)
        if weight.light:
            terms["light"] = (stops - wanted).abs().mean()

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
        output = network.restore(relit, gain, glance, light).float()
        terms |= self._against_truth(output, truth, weight)
        return {"loss": losses.weighted(terms, weight), **terms}

    def _retarget(self, truth: Tensor, glance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Another exposure of some truths, and which those are."""
        options = self.options
        chosen = torch.nonzero(torch.rand(len(truth)) < options.retarget)[:, 0].to(truth.device)
        if not len(chosen):
            return truth, glance, chosen
        stops = torch.empty(len(chosen), 1, 1, 1).uniform_(options.darker, options.lighter)
        gain = torch.exp2(stops).to(truth.device).expand(-1, 3, -1, -1)
        return (
            truth.index_copy(0, chosen, expose(to_linear(truth[chosen]), gain)),
            glance.index_copy(0, chosen, expose(to_linear(glance[chosen]), gain)),
            chosen,
        )

    def scaling(self) -> Scaling:
        """Relit as a whole, restored in tiles."""
        multiple = self.multiple
        return Scaling(mode="relight", multiple=multiple, minimum=multiple, tile=1536, overlap=128)

    def shapes(self) -> dict[str, dict[int, Any]]:
        """Image, the gain of its pixels, glance and what the user asks for."""
        shapes = super().shapes()
        image, glance = shapes["image"], shapes["glance"]
        return {"image": image, "gain": image, "glance": glance, "control": {0: glance[0]}}

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Pictures of several sizes, each with something else asked for."""
        asked = (
            (0.0, 1.0, 1.0, 1.0), (1.0, 0.5, 0.0, 0.5), (-1.0, 1.0, 0.5, 0.0), (0.5, 0.0, 1.0, 1.0)
        )  # fmt: skip
        found: list[tuple[Tensor, ...]] = []
        for (image, glance), control in zip(super().examples(random), asked, strict=True):
            gain = torch.from_numpy(random.random((len(image), 1, *image.shape[2:]), np.float32))
            found.append((image, 4.0 * gain, glance, torch.tensor([control] * len(image))))
        return found

    def enhance(self, low: NDArray[Any]) -> NDArray[np.uint8]:
        """A whole picture, H×W×3 of any depth, enhanced in float32 and rounded to 8 bits."""
        return self._enhanced(low, None)

    def measure(self, pair: LoadedPair) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """As all methods do, and PSNR where the network is told the truth's light."""
        values, output = super().measure(pair)
        told = self._enhanced(pair.low, area_resize(pair.high, self.glance, self.glance))
        return {**values, "psnr_told": min(psnr(told, pair.high), 99.0)}, output

    @torch.no_grad()
    def _enhanced(self, low: NDArray[Any], truth: FloatImage | None) -> NDArray[np.uint8]:
        network = self.network.eval()
        device = next(network.parameters()).device
        shrunk = area_resize(low, self.glance, self.glance)
        rows, columns = low.shape[:2]
        with torch.autocast(device.type, enabled=False):
            glance = to_tensor(shrunk)[None].to(device)
            light = network.decide(glance)
            if truth is not None:
                fitted, _ = lit.fit_grid(glance, to_tensor(truth)[None].to(device))
                light = light._replace(grid=fitted)
            guide = Guide.of(low, mean_light(shrunk)).read(low)
            gain = read_grid(light.grid[0].cpu().numpy(), guide)
            colour, black = light.colour[0].cpu().numpy(), light.black[0, :, 0, 0].cpu().numpy()
            relit = light_up(to_float(low), gain, colour, black)
            picture = np.concatenate((relit, gain[..., None]), axis=2)
            picture = fit_to_multiple(
                to_tensor(picture)[None].to(device), self.multiple, self.multiple
            )
            image = picture[:, :3].contiguous(memory_format=torch.channels_last)
            output = network.restore(image, picture[:, 3:], glance, light)
        whole = output[0, :, :rows, :columns].float().cpu().numpy().transpose(1, 2, 0)
        return from_float(whole, np.dtype(np.uint8))
