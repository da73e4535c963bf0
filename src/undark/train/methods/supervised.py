"""Supervised learning on pairs: the output is held against the truth."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from undark.models.card import Scaling
from undark.train.data.draws import Batch
from undark.train.methods.base import Method
from undark.train.methods.reconstruction import make_unet, reconstruct, unet_scaling
from undark.train.nets.unet import UNet
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
        self.network = make_unet(recipe.net)
        self.glance = recipe.net.glance
        self.multiple = self.network.multiple

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """See :func:`undark.train.methods.reconstruction.reconstruct`."""
        done = reconstruct(self.network, batch, self.recipe.loss)
        return {"loss": done.total, **done.terms}

    def scaling(self) -> Scaling:
        """As the U-Net's depth and glance ask."""
        return unet_scaling(self.network, self.recipe.data)
