"""What the methods that train a U-Net have in common: its sizes, and its losses against a truth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from undark.errors import RecipeError
from undark.models.card import Scaling
from undark.train.data.stream import Batch
from undark.train.losses import against_truth as losses
from undark.train.nets.unet import UNet, curve, sizes, solve_gain
from undark.train.recipe import Data, Loss, Net, Recipe

__all__ = ["Reconstruction", "check_unet", "make_unet", "reconstruct", "unet_scaling"]


def make_unet(net: Net) -> UNet:
    """The U-Net of a recipe's sizes, laid out for fast convolutions."""
    return UNet(
        widths=net.widths,
        blocks=net.blocks,
        glance=net.glance,
        context=net.context,
        dropout=net.dropout,
        shrink=net.shrink,
        decoder_dropout=net.decoder_dropout,
        padding=net.padding,
        last=net.last,
    ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def check_unet(recipe: Recipe) -> None:
    """Check that the crops of `recipe` are of a size that its U-Net takes.

    Raises:
        RecipeError: They are not.
    """
    net, crop = recipe.net, recipe.data.crop
    multiple, minimum = sizes(net.widths, net.padding)
    if crop % multiple:
        raise RecipeError(
            f"data.crop: must be a multiple of {multiple} for {len(net.widths)} net.widths,"
            f" not {crop}"
        )
    if crop < minimum:
        raise RecipeError(
            f"data.crop: must be at least {minimum} for {len(net.widths)} net.widths with"
            f" net.padding {net.padding!r}, not {crop}"
        )


def unet_scaling(network: UNet, data: Data) -> Scaling:
    """How `network`, which learned from `data`, runs on large photos.

    Tiles where the glance decides and a tile's overlap covers most of what a pixel depends on; a
    plain U-Net, a deep one, or one that learned from shrunken images sees a shrunken photo.
    """
    multiple, minimum = network.multiple, network.minimum
    if network.glance and multiple <= 16 and not data.max_side:
        return Scaling(mode="tiles", multiple=multiple, minimum=minimum, tile=1024, overlap=128)
    side = data.max_side or 1024
    return Scaling(mode="guided", multiple=multiple, minimum=minimum, max_side=side)


class Reconstruction(NamedTuple):
    """A batch, enhanced towards its truth.

    Attributes:
        output: N×3×H×W, the network's image.
        relit: N×3×H×W, the dark image brightened to the truth's level, noise and all; the dark
            image itself where there is no glance.
        terms: The loss's terms by name, unweighted.
        total: Their weighted sum.
    """

    output: Tensor
    relit: Tensor
    terms: dict[str, Tensor]
    total: Tensor


def reconstruct(network: UNet, batch: Batch, weight: Loss) -> Reconstruction:
    """Enhance ``batch["image"]`` and hold it against ``batch["truth"]``.

    How bright the truth is cannot be known, so the restoration is told: it learns from a photo
    relit to the truth's mean, while the exposure term alone teaches the guess. Left to guess, its
    gradient is mostly that of a wrong brightness.

    Args:
        network: With or without a glance.
        batch: ``image``, ``truth`` and, with a glance, ``glance``, ``truth_glance`` and ``told``.
        weight: The recipe's table ``loss``; see :mod:`undark.train.losses`.
    """
    image = batch["image"].contiguous(memory_format=torch.channels_last)
    truth = batch["truth"]
    terms: dict[str, Tensor] = {}
    relit = image
    if network.encoder is not None:
        decision = network.decide(batch["glance"])
        level = batch["truth_glance"].mean((1, 2, 3), keepdim=True).clamp(0.02, 0.97)
        gain = solve_gain(batch["glance"], level) * decision.tint
        gain = torch.where(batch["told"].view(-1, 1, 1, 1), gain, decision.gain.detach())
        relit = curve(image, gain, decision.black)
        output = network.restore(image, relit, decision.context)
        if weight.exposure:
            seen = curve(batch["glance"], decision.gain.float(), decision.black.float())
            terms["exposure"] = losses.exposure(seen, batch["truth_glance"])
    else:
        output = network(image)
    output = output.float()
    terms |= losses.against_truth(output, truth, weight)
    total = losses.weighted(terms, weight)
    return Reconstruction(output, relit, terms, total)
