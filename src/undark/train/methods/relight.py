"""The default model's way to learn: a glance that decides, a restoration that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undark.errors import RecipeError
from undark.evaluate.metrics import psnr
from undark.graph import Arrays, Graph
from undark.models.card import Scaling
from undark.photo import area_resize
from undark.train.data.datasets import LoadedPair
from undark.train.data.stream import Batch, to_tensor
from undark.train.losses import against_truth as losses
from undark.train.methods.base import Method
from undark.train.nets.exposure import expose, mean_luma
from undark.train.nets.relight import RelightNet, multiple_of
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
        doubt: Corrections of the usual brightness that are small beside this, in EV, are not made
            once it has learned; see :class:`undark.train.nets.relight.RelightNet`.
    """

    retarget: float = 0.3
    darker: float = -0.8
    lighter: float = 0.5
    doubt: float = 0.28

    def __post_init__(self) -> None:
        """Check them."""
        if not 0.0 <= self.retarget <= 1.0:
            raise RecipeError("options.retarget: must be in [0, 1]")
        if self.doubt <= 0.0:
            raise RecipeError("options.doubt: must be above 0")
        if not self.darker <= 0.0 <= self.lighter:
            raise RecipeError("options.darker must be at most 0, options.lighter at least 0")


class Relight(Method[RelightNet, Options]):
    """Exposure learned from whole photos, restoration from crops told the truth's brightness."""

    kind = "supervised"
    papers: ClassVar[tuple[str, ...]] = (
        "Ronneberger et al., U-Net, MICCAI 2015",
        "Perez et al., FiLM, AAAI 2018",
        "Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019",
        "Wei et al., A Physics-Based Noise Formation Model, CVPR 2020",
        "Wang et al., SSIM, TIP 2004",
    )
    outputs: ClassVar[tuple[str, ...]] = ("enhanced", "curves", "map")
    Options: ClassVar[type[Any]] = Options
    places: ClassVar[bool] = True
    defaults: ClassVar[dict[str, Any]] = {
        "net.widths": [48, 96, 152],
        "data.crop": 128,
        "loss.colour": 0.0,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the network of the recipe's sizes."""
        super().__init__(recipe)
        net = recipe.net
        self.network = RelightNet(
            widths=net.widths,
            blocks=net.blocks,
            glance=net.glance,
            context=net.context,
            dropout=net.dropout,
            doubt=self.options.doubt,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.glance = net.glance
        self.multiple = self.network.multiple

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
        relit to the truth's mean, while the exposure term alone teaches the guess.
        """
        network, weight = self.network, self.recipe.loss
        glance, truth, truth_glance = batch["glance"], batch["truth"], batch["truth_glance"]
        light = network.decide(glance)
        guess = light.share * network.stops(glance, light, light.level)
        seen = network.relight(to_linear(glance), light, guess)
        seen = network.place(seen, light, guess, _whole(seen))
        terms = {"exposure": losses.exposure(seen, truth_glance)}

        truth, truth_glance = self._retarget(truth, truth_glance)
        told = network.stops(glance, light, mean_luma(truth_glance))
        stops = torch.where(batch["told"].view(-1, 1, 1, 1), told, guess.detach())
        relit = network.relight(to_linear(batch["image"]), light, stops)
        relit = network.place(relit, light, stops, batch["where"])
        relit = relit.contiguous(memory_format=torch.channels_last)
        output = network.restore(relit, light, stops).float()
        terms |= losses.against_truth(output, truth, weight)
        return {"loss": losses.weighted(terms, weight), **terms}

    def _retarget(self, truth: Tensor, glance: Tensor) -> tuple[Tensor, Tensor]:
        """Another exposure of some truths."""
        options = self.options
        chosen = torch.nonzero(torch.rand(len(truth)) < options.retarget)[:, 0].to(truth.device)
        if not len(chosen):
            return truth, glance
        stops = torch.empty(len(chosen), 1, 1, 1).uniform_(options.darker, options.lighter)
        gain = torch.exp2(stops).to(truth.device).expand(-1, 3, -1, -1)
        return (
            truth.index_copy(0, chosen, expose(to_linear(truth[chosen]), gain)),
            glance.index_copy(0, chosen, expose(to_linear(glance[chosen]), gain)),
        )

    def scaling(self) -> Scaling:
        """Relit as a whole, restored in tiles."""
        multiple = self.multiple
        return Scaling(mode="relight", multiple=multiple, minimum=multiple, tile=1536, overlap=128)

    def shapes(self) -> dict[str, dict[int, Any]]:
        """Image, glance and what the user asks for."""
        shapes = super().shapes()
        return {**shapes, "control": {0: shapes["glance"][0]}}

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Pictures of several sizes, each with something else asked for."""
        asked = ((0.0, 1.0, 1.0), (1.0, 0.5, 0.0), (-1.0, 1.0, 0.5), (0.5, 0.0, 1.0))
        return [
            (*example, torch.tensor([control] * len(example[0])))
            for example, control in zip(super().examples(random), asked, strict=True)
        ]

    def measure(self, pair: LoadedPair) -> tuple[dict[str, float], NDArray[np.uint8]]:
        """As all methods do, and PSNR where the network is told how bright the truth is."""
        values, output = super().measure(pair)
        truth = area_resize(pair.high, self.glance, self.glance)
        told = self.enhance(pair.low, graph=self._told(pair.low, mean_luma(to_tensor(truth)[None])))
        return {**values, "psnr_told": min(psnr(told, pair.high), 99.0)}, output

    @torch.no_grad()
    def _told(self, low: NDArray[Any], level: Tensor) -> Graph:
        """The network, told to bring the photo `low` to the mean luma `level` (1×1×1×1)."""
        graph, network = self.graph(), self.network
        device = next(network.parameters()).device
        glance = to_tensor(area_resize(low, self.glance, self.glance))[None].to(device)
        stops = network.stops(glance, network.decide(glance), level.to(device))
        control = np.array([[float(stops), 0.0, 1.0]], np.float32)  # all of the light by hand

        def told(inputs: Arrays, outputs: Sequence[str]) -> Arrays:
            return graph({**inputs, "control": control}, outputs)

        return told


def _whole(picture: Tensor) -> Tensor:
    """The places (1×2×H×W) of all pixels of whole pictures, for :meth:`RelightNet.place`."""
    y, x = (
        (torch.arange(side, device=picture.device, dtype=torch.float32) + 0.5) / side
        for side in picture.shape[2:]
    )
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))[None].expand(len(picture), -1, -1, -1)
