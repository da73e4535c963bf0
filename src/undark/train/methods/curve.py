"""Zero-reference learning: curves from dark photos alone, with no truth at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from undark.errors import RecipeError
from undark.models.card import Scaling
from undark.train.data.stream import Batch
from undark.train.losses import zero_reference as losses
from undark.train.losses.self_noise import noise_left, shrunken_twin
from undark.train.methods.base import Method
from undark.train.nets.curve import CurveNet
from undark.train.nets.exposure import expose
from undark.train.nets.srgb import to_linear
from undark.train.recipe import Recipe
from undark.train.shares import place

__all__ = ["Curve", "Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """The wanted brightness and weights; see :mod:`undark.train.losses.zero_reference`.

    Attributes:
        wanted: Mean luma that a dark photo should get, in (0, 1). The one thing that is given: no
            dark photo says how bright it should be.
        exposure: Weight of the term that holds the network to `wanted`.
        spatial: Weight of spatial consistency.
        colour: Weight of colour constancy.
        restraint: Weight against tints and against levels other than `wanted`.
        noise: Weight of what cleaning leaves of noise; see :mod:`undark.train.losses.self_noise`.
        twins: Photos of each batch by which cleaning is learned.
    """

    wanted: float = 0.455
    exposure: float = 1.0
    spatial: float = 1.0
    colour: float = 0.3
    restraint: float = 0.05
    noise: float = 0.1
    twins: int = 2

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            RecipeError: One is out of range.
        """
        if not 0.0 < self.wanted < 1.0:
            raise RecipeError("options.wanted: must be in (0, 1)")
        if self.twins < 1:
            raise RecipeError("options.twins: must be at least 1")


class Curve(Method[CurveNet, Options]):
    """Curve estimation: exposure, contrast, colour and noise, judged without a truth."""

    kind = "zero-reference"
    papers: ClassVar[tuple[str, ...]] = (
        "Guo et al., Zero-DCE, CVPR 2020",
        "Liu et al., Noise Estimation from a Single Image, CVPR 2006",
        "Lee, local Wiener filter, TPAMI 1980",
        "Moran et al., Noisier2Noise, CVPR 2020",
    )
    outputs: ClassVar[tuple[str, ...]] = ("curves", "clean")
    Options: ClassVar[type[Any]] = Options
    reads: ClassVar[tuple[str, ...]] = ("dark",)
    needs: ClassVar[tuple[str, ...]] = ("dark",)
    diet: ClassVar[str] = "dark photos alone (data, or dark)"
    defaults: ClassVar[dict[str, Any]] = {
        "data.sources": [{"kind": "dark"}],
        "data.crop": 256,
        "augment.exposure": 1.5,
        "augment.noise": 0.0,
        "augment.rotate": 0.0,
        "augment.share": 0.5,
        "fit.steps": 600,
        "fit.lr": 2e-3,
        "fit.warmup": 50,
        "fit.ema": 0.99,
        "fit.precision": "32-true",
        "fit.validate_every": 300,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the network for the recipe's glance and wanted level."""
        super().__init__(recipe)
        self.network: CurveNet = CurveNet(glance=recipe.net.glance, wanted=self.options.wanted)
        self.glance: int = recipe.net.glance
        self.multiple = 1

    @classmethod
    def check(cls, recipe: Recipe, options: Options) -> None:
        """A glance."""
        del options
        if not recipe.net.glance:
            raise RecipeError("net.glance: the curves come from the glance; it cannot be 0")

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Five terms, none of which knows a truth."""
        weight = self.options
        decision = self.network.decision(batch["glance"])
        relit = decision.relit
        luma = (relit * self.network.weights).sum(1, keepdim=True)
        correction = torch.log2(luma.mean((1, 2, 3), keepdim=True) / weight.wanted)
        terms = {
            "exposure": losses.exposure(luma, weight.wanted),
            "spatial": losses.spatial_consistency(batch["glance"], relit),
            "colour": losses.colour_constancy(relit),
            "restraint": losses.restraint(decision.tint, correction.clamp(max=0.0)),
        }
        if weight.noise:
            terms["noise"] = self._noise(batch["image"], decision.stops + decision.tint)
        total = torch.stack([getattr(weight, name) * value for name, value in terms.items()]).sum()
        return {"loss": total, **terms}

    def _noise(self, image: Tensor, stops: Tensor) -> Tensor:
        """What cleaning leaves, on images made of the first photos of the whole batch."""
        own, shares = place()
        first, wanted = own * len(image), min(self.options.twins, shares * len(image))
        count = min(max(wanted - first, 0), len(image))
        if not count:
            return 0.0 * self.network.strength.sum()
        with torch.no_grad():
            relit = expose(to_linear(image), torch.exp2(stops))[:count]
        twins = [
            shrunken_twin(
                np.ascontiguousarray(photo.cpu().numpy().transpose(1, 2, 0)),
                np.random.default_rng((self.recipe.seed, self.batches, self.part, number)),
            )
            for number, photo in enumerate(relit, first)
        ]
        return noise_left(self.network.strength, twins) * (count * shares / wanted)

    def scaling(self) -> Scaling:
        """Curves for the whole photo."""
        return Scaling(mode="curves", multiple=1, minimum=1)

    def shapes(self) -> dict[str, dict[int, Any]]:
        """The glance alone."""
        return {"glance": {0: torch.export.Dim("n")}}

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Glances from bright to very dark."""
        sizes = ((2, 0.3), (1, 0.02), (1, 1.0))
        values = (random.random((n, 3, self.glance, self.glance)) * light for n, light in sizes)
        return [(torch.from_numpy(value.astype(np.float32)),) for value in values]
