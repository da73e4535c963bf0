"""Supervised learning on pairs: the output is held against the truth."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from undark.models.card import Scaling
from undark.train import losses
from undark.train.data.draws import Batch
from undark.train.methods.base import Method
from undark.train.nets.unet import UNet, curve, solve_gain
from undark.train.recipe import Recipe

__all__ = ["Supervised"]


class Supervised(Method[UNet]):
    """A U-Net with a pixel, a structure, a matched, a colour and an exposure term."""

    kind = "supervised"
    papers: ClassVar[tuple[str, ...]] = (
        "Ronneberger et al., U-Net, MICCAI 2015",
        "Perez et al., FiLM, AAAI 2018",
        "Charbonnier et al., ICIP 1994",
        "Wang et al., SSIM, TIP 2004",
    )

    def __init__(self, recipe: Recipe) -> None:
        """Build the U-Net of the recipe's sizes."""
        super().__init__(recipe)
        net = recipe.net
        self.network = UNet(
            widths=net.widths,
            blocks=net.blocks,
            glance=net.glance,
            context=net.context,
            dropout=net.dropout,
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.glance = net.glance
        self.multiple = self.network.multiple

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """See :mod:`undark.train.losses`; weights are the recipe's table ``loss``."""
        weight = self.recipe.loss
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        truth = batch["truth"]
        terms: dict[str, Tensor] = {}
        if self.network.encoder is not None:
            decision = self.network.decide(batch["glance"])
            # How bright the truth is cannot be known, so the restoration is told: it learns from
            # a photo relit to the truth's mean, while the exposure term alone teaches the guess.
            # Left to guess, its gradient is mostly that of a wrong brightness.
            level = batch["truth_glance"].mean((1, 2, 3), keepdim=True).clamp(0.02, 0.97)
            gain = solve_gain(batch["glance"], level) * decision.tint
            relit = curve(image, gain, decision.black)
            output = self.network.restore(image, relit, decision.context)
            if weight.exposure:
                seen = curve(batch["glance"], decision.gain.float(), decision.black.float())
                terms["exposure"] = losses.exposure(seen, batch["truth_glance"])
        else:
            output = self.network(image)
        output = output.float()
        terms["pixel"] = losses.charbonnier(output, truth)
        if weight.structure:
            terms["structure"] = losses.structure(output, truth)
        if weight.matched:
            terms["matched"] = losses.charbonnier(losses.match_means(output, truth), truth)
        if weight.colour:
            terms["colour"] = losses.colour(output, truth)
        total = torch.stack([getattr(weight, name) * value for name, value in terms.items()]).sum()
        return {"loss": total, **terms}

    def scaling(self) -> Scaling:
        """Tiles where the glance decides; a plain U-Net sees a reduced photo."""
        if self.glance:
            return Scaling(
                mode="tiles", multiple=self.multiple, minimum=self.multiple, tile=1024, overlap=128
            )
        return Scaling(mode="guided", multiple=self.multiple, minimum=self.multiple, max_side=1024)
