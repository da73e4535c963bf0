"""The network of `relight`: a glance decides the light, a lean U-Net restores what it uncovers.

**Glance.** From the whole photo, shrunk, a small encoder decides the light
(:mod:`undark.train.nets.decision`). It is added as a camera would have gathered it: a gain in
linear light, alike in the three channels, with a shoulder so that highlights roll off. This costs
hardly anything, on video too. Another such encoder tells the restoration what kind of photo it is.

**Restore.** An encoder-decoder with skip connections (Ronneberger et al., U-Net, MICCAI 2015) of
residual blocks, nearly all of whose work happens at a quarter of the photo's size and below. It
sees the relit photo and each pixel's own gain, since noise grows with it, and through feature-wise
modulation (FiLM; Perez et al., AAAI 2018) what kind of photo it is and what light it got. What
needed no light passes unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.train.nets import light as lit
from undark.train.nets.blocks import Levels, activate
from undark.train.nets.decision import Context, Decision, Light

__all__ = ["RelightNet", "multiple_of"]

_EAGER = 3.0  # 63 % of the restoration for a third of an EV more light, 95 % for one EV
# The most that the restoration may change a level, encoded, and as much again for each EV. In
# photos one pixel in a thousand comes near; it is for what is unlike all that it has seen.
_CHANGE = 0.1
# Without norms, a step of the optimiser moves a wide layer far; so do not count it in full.
_BRANCH = 0.25


def multiple_of(widths: Sequence[int]) -> int:
    """Of what a picture's sides must be multiples, for levels of these widths."""
    return 2 ** (len(widths) + 1)


class RelightNet(Levels):
    """The glance's decision and the restoration.

    Args:
        widths: Channels at 1/4, 1/8, 1/16, ... of the photo's size; its length is the depth.
        blocks: Residual blocks at each level on the way down, but for the first, and on the way up.
        glance: Side of the square glance in pixels.
        context: Features that the glance hands to the blocks.
        dropout: Of the encoder's hidden layer.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 152),
        blocks: int = 1,
        glance: int = 64,
        context: int = 48,
        dropout: float = 0.3,
    ) -> None:
        """Build the network; sizes in the class's description."""
        super().__init__()
        self.glance: int = glance
        self.multiple: int = multiple_of(widths)
        self.decision: Decision = Decision(dropout=dropout)
        self.context: Context = Context(features=context, dropout=dropout)
        first, fine = widths[0], 16
        inside = context + 4  # and how much light there was to add
        # The first level is dear and has none on the way down; the deepest has those of both ways.
        counts = [blocks if level else 0 for level in range(len(widths) - 1)] + [2 * blocks]
        self.stem: nn.Conv2d = nn.Conv2d(4, first, 8, 4, 2)
        self.lay(widths, down=counts, up=blocks, context=inside, branch=_BRANCH)
        self.head: nn.Conv2d = nn.Conv2d(first, 4 * fine, 1)
        self.detail: nn.Conv2d = nn.Conv2d(3, fine, 4, 2, 1)
        self.blend: nn.Conv2d = nn.Conv2d(2 * fine, fine, 3, 1, 1)
        self.last: nn.Conv2d = nn.Conv2d(fine, 12, 3, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith(("decision", "context")):
                after = name in ("head", "last", "blend") or name.endswith("second")
                gain = "leaky_relu" if after else "linear"
                nn.init.kaiming_normal_(module.weight, 0.1, nonlinearity=gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.zeros_(self.last.weight)

    def enlarge(self, x: Tensor, level: int) -> Tensor:
        """First the convolution, which is cheaper so, then twice the size."""
        return F.interpolate(self.ups[level](x), scale_factor=2.0, mode="nearest")

    def decide(self, glance: Tensor) -> Light:
        """What the glance, N×3×glance×glance in [0, 1], decides."""
        return self.decision(glance)

    def look(self, glance: Tensor, grid: Tensor) -> Tensor:
        """The gains, N×1×glance×glance in EV, that the glance itself reads from a grid."""
        return lit.read_whole(grid, lit.level(lit.brightness(glance), lit.mean_light(glance)))

    def forward(
        self, image: Tensor, gain: Tensor, glance: Tensor, control: Tensor, applied: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decide, and restore what was relit accordingly.

        Args:
            image: N×3×H×W in [0, 1]: the photo, or a part of it, as the light has left it; height
                and width multiples of `multiple`.
            gain: N×1×H×W, the EV that each pixel got.
            glance: N×3×glance×glance, the whole photos as they are, shrunk by area averaging.
            control: N×4: exposure added by hand in EV; strength, the fraction of the light decided
                on, in EV; denoise, the fraction of the restoration; local, how much of the light
                may differ from place to place. 0, 1, 1, 1 is the network's own choice.
            applied: N×L×h×w, the grid that gave `image` its light. It need not be the one that is
                decided here: a video's is steadied.

        Returns:
            N×3×H×W, about [0, 1], which the caller clamps; the grid, N×L×h×w in EV; the colour
            matrix, N×3×3; and the black point, N×3.
        """
        exposure, strength, denoise, local = control[:, :, None, None].split(1, dim=1)
        light = self.decide(glance)
        curve = self._curve(glance, light.grid)
        grid = strength * (curve + local * (light.grid - curve)) + exposure
        grid = grid.clamp(-4.0, lit.MOST_STOPS)
        enhanced = self.restore(image, gain, glance, applied, denoise)
        return enhanced, grid, light.colour, light.black.flatten(1)

    def _curve(self, glance: Tensor, grid: Tensor) -> Tensor:
        """The one curve, N×L×1×1, that a grid is around where the glance's pixels lie."""
        weight = lit.occupied(glance) + 1e-2
        return (weight * grid).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)

    def restore(
        self,
        relit: Tensor,
        gain: Tensor,
        glance: Tensor,
        grid: Tensor,
        denoise: Tensor | float = 1.0,
    ) -> Tensor:
        """Clean `relit`, N×3×H×W, whose pixels got `gain` (N×1×H×W, in EV) more light.

        Args:
            relit: The picture, relit.
            gain: What :func:`undark.train.nets.light.firm` left of the gains.
            glance: Of the whole photos.
            grid: N×L×h×w, by which they were relit.
            denoise: Fraction of the restoration, N×1×1×1 or one for all.
        """
        added = lit.firm(self.look(glance, grid)) / lit.MOST_STOPS
        dims = (1, 2, 3)
        summary = (
            added.mean(dims),
            added.std(dims, correction=0),
            added.amax(dims),
            added.amin(dims),
        )
        context = torch.cat((self.context(glance), torch.stack(summary, dim=1)), dim=1)
        x = self.stem(torch.cat((relit, gain / lit.MOST_STOPS), dim=1))
        x = self.down_and_up(x, context)
        # Activated before they are moved and joined: so runtimes do it within the convolution.
        half = F.pixel_shuffle(activate(self.head(activate(x))), 2)
        half = self.blend(torch.cat((half, activate(self.detail(relit))), dim=1))
        drawn = F.pixel_shuffle(self.last(activate(half)), 2)
        # What got no light has nothing to be cleaned of, and passes. A learned share would close
        # for good in a bad moment of training: what does not pass cannot learn.
        more = gain.clamp(min=0.0)
        change = denoise * (1.0 - torch.exp(-_EAGER * more)) * (drawn - relit)
        if not self.training:  # what is held back learns nothing
            most = denoise * _CHANGE * (1.0 + more)
            change = torch.minimum(torch.maximum(change, -most), most)
        return relit + change
