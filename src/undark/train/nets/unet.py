"""A U-Net that decides exposure from the whole photo and restores its parts.

The encoder-decoder with skip connections is that of Ronneberger et al., "U-Net: Convolutional
Networks for Biomedical Image Segmentation" (MICCAI 2015), working at half the photo's size behind
a pixel-unshuffle (Shi et al., CVPR 2016) with residual blocks. What must be decided from the
whole — exposure, black point, colour cast — comes from a *glance*, the photo shrunk to a few
thousand pixels, through feature-wise modulation (FiLM; Perez et al., AAAI 2018); so tiles of a
large photo agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.train.nets.blocks import Levels, Padding, activate
from undark.train.shares import Dropout, dropout

__all__ = ["Decision", "GlanceEncoder", "UNet", "curve", "sizes", "solve_gain"]

_EPSILON = 1e-4


def curve(image: Tensor, gain: Tensor, black: Tensor) -> Tensor:
    """Brighten by ``1 - (1 - x)**gain`` after the black point is taken off.

    The slope at black is `gain` and white stays white, so nothing that was not clipped clips;
    with gain 1 and black 0 it is the identity.

    Args:
        image: N×3×H×W in [0, 1].
        gain: N×3×1×1, above 0.
        black: N×3×1×1 in [0, 1): the level that becomes black.

    Returns:
        N×3×H×W in [0, 1].
    """
    lifted = ((image - black) / (1.0 - black)).clamp(0.0, 1.0 - _EPSILON)
    return 1.0 - torch.exp(gain * torch.log(1.0 - lifted))


def solve_gain(glance: Tensor, target: Tensor, *, iterations: int = 5) -> Tensor:
    """The gain by which :func:`curve` (black point 0) gives `glance` the mean level `target`.

    Newton's method on the logarithm of the gain; the mean is monotone in it, and steps are
    limited, so a few iterations from the flat photo's solution suffice. Differentiable.

    Args:
        glance: N×3×H×W in [0, 1].
        target: N×1×1×1 in (0, 1).
        iterations: Newton steps.

    Returns:
        N×1×1×1 in [0.5, 60].
    """
    light = torch.log(1.0 - glance.clamp(0.0, 1.0 - _EPSILON))
    level = glance.mean(dim=(1, 2, 3), keepdim=True).clamp(1e-3, 0.95)
    low, high = math.log(0.5), math.log(60.0)
    log_gain = torch.log(torch.log(1.0 - target) / torch.log(1.0 - level)).clamp(low, high)
    for _ in range(iterations):
        scaled = torch.exp(log_gain) * light
        left = torch.exp(scaled)
        mean = 1.0 - left.mean(dim=(1, 2, 3), keepdim=True)
        slope = -(scaled * left).mean(dim=(1, 2, 3), keepdim=True)
        step = ((target - mean) / slope.clamp(min=1e-3)).clamp(-1.0, 1.0)
        log_gain = (log_gain + step).clamp(low, high)
    return torch.exp(log_gain)


class Decision(NamedTuple):
    """What was decided from the glance.

    Attributes:
        gain: N×3×1×1, exponent of the brightening curve per channel: the one that gives the
            photo the mean level it should have, times `tint`.
        tint: N×3×1×1, the channels' own factors, around 1.
        black: N×3×1×1, black point per channel.
        context: N×C, features that modulate the restoration.
    """

    gain: Tensor
    tint: Tensor
    black: Tensor
    context: Tensor


class GlanceEncoder(nn.Module):
    """Decides exposure, black point and context from the glance.

    Exposure is predicted as the mean level that the photo should have (a learned prior plus a
    correction), and the gain is solved for; a correction of zero therefore means "as bright as
    photos usually are", whatever the darkness.
    """

    def __init__(
        self, *, context: int = 48, width: int = 24, dropout: float = 0.3, shrink: float = 1.0
    ) -> None:
        """Make an encoder giving `context` features, with `width` channels in its first layer.

        Once it has learned, `shrink` of what it adds to the learned prior level counts (James and
        Stein 1961): on scenes not seen its guess is bolder than it should be.
        """
        super().__init__()
        self.shrink = shrink
        steps: list[nn.Module] = []
        channels = 6
        for factor in (1, 2, 3, 4):
            steps += [nn.Conv2d(channels, width * factor, 3, 2, 1), nn.ReLU(inplace=True)]
            channels = width * factor
        self.convolutions: nn.Sequential = nn.Sequential(*steps)
        self.mix: nn.Sequential = nn.Sequential(
            nn.Linear(2 * channels + 6, 128),
            nn.ReLU(inplace=True),
            Dropout(dropout),
        )
        self.context: nn.Linear = nn.Linear(128, context)
        self.decide: nn.Linear = nn.Linear(128, 7)
        nn.init.zeros_(self.decide.weight)
        nn.init.zeros_(self.decide.bias)
        self.prior: nn.Parameter = nn.Parameter(torch.tensor(-0.2))

    def forward(self, glance: Tensor) -> Decision:
        """Decide from `glance`, N×3×H×W in [0, 1]."""
        mean = glance.mean(dim=(2, 3), keepdim=True)
        level = mean.mean(dim=1, keepdim=True).clamp(1e-3, 0.95)
        ranged = (glance * (0.25 / level)).clamp(max=2.0)
        features = self.convolutions(torch.cat((glance, ranged), dim=1))
        pooled = torch.cat(
            (
                features.mean(dim=(2, 3)),
                features.amax(dim=(2, 3)),
                torch.log(level).flatten(1),
                (mean / level - 1.0).flatten(1),
                ranged.std(dim=(1, 2, 3), correction=0).unsqueeze(1),
                (glance > 0.9).to(glance.dtype).mean(dim=(1, 2, 3)).unsqueeze(1),
            ),
            dim=1,
        )
        mixed = self.mix(pooled)
        raw = self.decide(mixed)[:, :, None, None]
        correction = raw[:, 0:1] if self.training else self.shrink * raw[:, 0:1]
        gain = solve_gain(glance, torch.sigmoid(self.prior + correction).clamp(0.02, 0.97))
        tint = torch.exp(0.5 * torch.tanh(raw[:, 1:4]))
        black = 0.08 * torch.tanh(F.relu(raw[:, 4:7]))
        return Decision(gain * tint, tint, black, self.context(mixed))


def sizes(widths: Sequence[int], padding: Padding) -> tuple[int, int]:
    """What a :class:`UNet` of these levels takes: multiples of the first, at least the second."""
    multiple = 2 ** len(widths)
    # What is one pixel wide cannot be reflected.
    return multiple, multiple * (2 if padding == "reflect" else 1)


class UNet(Levels):
    """The network of ``unet``, ``pix2pix`` and ``cyclegan``.

    Args:
        widths: Channels at 1/2, 1/4, 1/8, ... of the photo's size; its length is the depth.
        blocks: Residual blocks at each level on the way down (as many on the way up).
        glance: Side of the square glance in pixels; 0 makes the plain U-Net, which decides by
            what its receptive field shows.
        context: Features that the glance hands to the blocks.
        dropout: Of the glance encoder's hidden layer.
        shrink: Fraction of the glance's correction of the mean level that counts; see
            :class:`GlanceEncoder`.
        decoder_dropout: Of whole channels on the way up, at the deepest half of the levels (Isola
            et al., CVPR 2017); on in training alone.
        padding: Of the convolutions: ``zeros`` or ``reflect``.
        last: How the last step to full size is made: ``shuffle`` by a pixel-shuffle, which an
            adversarial loss may leave with a grid, or ``resize`` by a resize and a convolution,
            as all other steps are, which gives flat output for flat input whatever the weights.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (32, 64, 96, 128),
        blocks: int = 1,
        glance: int = 64,
        context: int = 48,
        dropout: float = 0.3,
        shrink: float = 1.0,
        decoder_dropout: float = 0.0,
        padding: Padding = "zeros",
        last: Literal["shuffle", "resize"] = "shuffle",
    ) -> None:
        """Build the network; sizes in the class's description."""
        super().__init__()
        self.glance = glance
        multiple, minimum = sizes(widths, padding)
        self.multiple: int = multiple
        self.minimum: int = minimum
        self.decoder_dropout = decoder_dropout
        context = context if glance else 0
        self.encoder: GlanceEncoder | None = (
            GlanceEncoder(context=context, dropout=dropout, shrink=shrink) if glance else None
        )
        inputs = 6 if glance else 3

        def convolve(a: int, b: int) -> nn.Conv2d:
            return nn.Conv2d(a, b, 3, 1, 1, padding_mode=padding)

        self.stem: nn.Conv2d = convolve(4 * inputs, widths[0])
        self.lay(widths, down=[blocks] * len(widths), up=blocks, context=context, padding=padding)
        self.shuffles: bool = last == "shuffle"
        self.head: nn.Conv2d = convolve(widths[0], 4 * 8 if self.shuffles else 8)
        self.last: nn.Conv2d = convolve(8 + inputs, 3)
        self.keep: nn.Linear | None = nn.Linear(context, 1) if context else None
        # With nothing that relights it, the image itself is where to begin.
        self.through: nn.Parameter | None = None if glance else nn.Parameter(torch.ones(()))
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder"):
                # Only these two kinds follow an activation.
                after = name == "head" or name.endswith("second")
                gain = "leaky_relu" if after else "linear"
                nn.init.kaiming_normal_(module.weight, 0.1, nonlinearity=gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
                if name.endswith("second"):
                    module.weight.data.mul_(0.3)  # residual blocks begin near the identity
        nn.init.zeros_(self.last.weight)
        if self.keep is not None:
            nn.init.zeros_(self.keep.weight)
            nn.init.zeros_(self.keep.bias)

    def decide(self, glance: Tensor) -> Decision:
        """What the glance decides; a plain U-Net (``glance=0``) has nothing to decide."""
        if self.encoder is None:
            raise ValueError("this network takes no glance")
        return self.encoder(glance)

    def forward(self, image: Tensor, glance: Tensor | None = None) -> Tensor:
        """Enhance.

        Args:
            image: N×3×H×W RGB in [0, 1], height and width multiples of `multiple`.
            glance: N×3×glance×glance, the whole photos shrunk by area averaging; None for a
                plain U-Net.

        Returns:
            N×3×H×W, about [0, 1]; the caller clamps.
        """
        if self.encoder is None:
            return self.restore(image, image, None)
        if glance is None:
            raise ValueError("this network needs the glance of the whole photo")
        decision = self.encoder(glance)
        return self.restore(image, curve(image, decision.gain, decision.black), decision.context)

    def enlarge(self, x: Tensor, level: int) -> Tensor:
        """Resize, then convolve: no checkerboard (Odena et al., Distill 2016)."""
        x = self.ups[level](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        if self.training and self.decoder_dropout and level >= len(self.ups) // 2:
            x = dropout(x, self.decoder_dropout, (x.shape[1], 1, 1))
        return x

    def restore(self, image: Tensor, relit: Tensor, context: Tensor | None) -> Tensor:
        """Clean `relit` (`image` brightened; both N×3×H×W), modulated by `context`."""
        full = torch.cat((image, relit), dim=1) if self.encoder is not None else image
        x = self.stem(F.pixel_unshuffle(full, 2))
        x = activate(self.down_and_up(x, context))
        if self.shuffles:
            fine = F.pixel_shuffle(self.head(x), 2)
        else:
            fine = self.head(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        output = self.last(torch.cat((activate(fine), full), dim=1))
        if self.through is not None:
            return output + self.through * image
        if self.keep is not None and context is not None:
            # Adding to the noisy image learns slowly: noise must first be cancelled. So the
            # network draws the image itself, and the glance says how much may pass unchanged.
            output = output + self.keep(context)[:, :, None, None] * relit
        return output
