"""Supervised learning on pairs: the output is held against the truth."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from undark.models.card import Scaling
from undark.train.data.stream import Batch
from undark.train.methods.base import Method, NoOptions
from undark.train.methods.reconstruction import check_unet, make_unet, reconstruct, unet_scaling
from undark.train.nets.unet import UNet
from undark.train.recipe import Recipe

__all__ = ["SupervisedUNet"]


class SupervisedUNet(Method[UNet, NoOptions]):
    """A U-Net with a pixel, a structure, a matched, a colour and an exposure term."""

    kind = "supervised"
    compiles: ClassVar[bool] = True
    papers: ClassVar[tuple[str, ...]] = (
        "Ronneberger et al., U-Net, MICCAI 2015",
        "Perez et al., FiLM, AAAI 2018",
        "Charbonnier et al., ICIP 1994",
        "Wang et al., SSIM, TIP 2004",
    )

    def __init__(self, recipe: Recipe) -> None:
        """Build the U-Net of the recipe's sizes."""
        super().__init__(recipe)
        self.network: UNet = make_unet(recipe.net)
        self.glance: int = recipe.net.glance
        self.multiple: int = self.network.multiple

    @classmethod
    def check(cls, recipe: Recipe, options: NoOptions) -> None:
        """Crops that the U-Net can take."""
        del options
        check_unet(recipe)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """See :func:`undark.train.methods.reconstruction.reconstruct`."""
        done = reconstruct(self.network, batch, self.recipe.loss)
        return {"loss": done.total, **done.terms}

    def scaling(self) -> Scaling:
        """As the U-Net's depth and glance ask."""
        return unet_scaling(self.network, self.recipe.data)
