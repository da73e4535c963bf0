"""Pix2Pix: an image translated into another under the eye of a discriminator.

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from undark.models.card import Scaling
from undark.train.data.stream import Batch
from undark.train.losses.adversarial import Criterion, adversarial, frozen
from undark.train.methods.base import Method
from undark.train.methods.reconstruction import check_unet, make_unet, reconstruct, unet_scaling
from undark.train.nets.patch import PatchDiscriminator
from undark.train.nets.unet import UNet
from undark.train.recipe import Recipe

__all__ = ["Options", "Pix2Pix"]


@dataclass(frozen=True, slots=True)
class Options:
    """What Pix2Pix alone has to set.

    Attributes:
        criterion: ``bce`` as in the paper, or ``least-squares``.
        reconstruction: λ, the weight of the reconstruction beside the adversarial loss.
        discriminator: Channels after each halving of the PatchGAN.
        spectral: Spectral norm in the discriminator; else instance norm.
        discriminator_lr: Its learning rate, relative to the generator's.
    """

    criterion: Criterion = "bce"
    reconstruction: float = 100.0
    discriminator: tuple[int, ...] = (24, 48, 96)
    spectral: bool = True
    discriminator_lr: float = 0.5


class Pix2Pix(Method[UNet, Options]):
    """A U-Net generator against a PatchGAN that sees the dark image beside the bright one.

    The generator minimises adversarial + λ·reconstruction, the discriminator holds real patches
    against ones and fake patches against zeros, halved as in the paper. The reconstruction is the
    recipe's table ``loss``; the paper's own is its pixel term alone.
    """

    kind = "pix2pix"
    compiles: ClassVar[bool] = True
    Options: ClassVar[type[Any]] = Options
    papers: ClassVar[tuple[str, ...]] = (
        "Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017",
        "Ronneberger et al., U-Net, MICCAI 2015",
        "Miyato et al., Spectral Normalization for GANs, ICLR 2018",
        "Odena et al., Deconvolution and Checkerboard Artifacts, Distill 2016",
    )
    defaults: ClassVar[dict[str, Any]] = {
        "net.widths": [32, 64, 96, 128, 128, 128],
        "net.padding": "reflect",
        "net.last": "resize",
        "net.decoder_dropout": 0.1,
        "data.crop": 256,
        "data.batch": 2,
        "fit.lr": 6e-4,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the generator of the recipe's sizes, and the discriminator."""
        super().__init__(recipe)
        self.network: UNet = make_unet(recipe.net)
        self.glance: int = recipe.net.glance
        self.multiple: int = self.network.multiple
        self.discriminator: PatchDiscriminator = PatchDiscriminator(
            6, widths=self.options.discriminator, spectral=self.options.spectral
        )

    @classmethod
    def check(cls, recipe: Recipe, options: Options) -> None:
        """Crops that the U-Net can take."""
        del options
        check_unet(recipe)

    def groups(self) -> list[dict[str, Any]]:
        """Generator and discriminator; the latter without weight decay and with less momentum."""
        return [
            *super().groups(),
            {
                "params": list(self.discriminator.parameters()),
                "lr": self.recipe.fit.lr * self.options.discriminator_lr,
                "betas": (0.5, 0.999),
                "weight_decay": 0.0,
            },
        ]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Both players' losses; ``generator`` and ``discriminator`` are the plotted two."""
        options = self.options
        done = reconstruct(self.network, batch, self.recipe.loss)
        # The dark image is shown relit: at a mean level of 16 of 255 a convolution sees black.
        condition = done.relit.detach().float()
        fake = torch.cat((condition, done.output.clamp(-0.1, 1.1)), dim=1)
        real = torch.cat((condition, batch["truth"]), dim=1)
        with frozen(self.discriminator):
            fooled = adversarial(
                self.discriminator(fake).float(), real=True, criterion=options.criterion
            )
        judged = self.discriminator(torch.cat((real, fake.detach()))).float()
        on_real, on_fake = judged.chunk(2)
        discriminator = 0.5 * (
            adversarial(on_real, real=True, criterion=options.criterion)
            + adversarial(on_fake, real=False, criterion=options.criterion)
        )
        generator = fooled + options.reconstruction * done.total
        return {
            "loss": generator + discriminator,
            "generator": fooled,
            "discriminator": discriminator,
            **done.terms,
        }

    def scaling(self) -> Scaling:
        """As the U-Net's depth and glance ask."""
        return unet_scaling(self.network, self.recipe.data)
