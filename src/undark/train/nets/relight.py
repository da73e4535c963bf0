"""The network of `relight`: a glance decides the light, a lean U-Net restores what it uncovers.

**Glance.** From the whole photo, shrunk, a small encoder decides a grid of gains in EV over place
and brightness (a bilateral grid; see :mod:`undark.pixels.grid`), how much of each channel's darkest
level is no light at all but the camera's pedestal, and how colours are mixed. Light is added as a
camera would have gathered it: a gain in linear light, alike in the three channels, with a shoulder
so that highlights roll off. This costs hardly anything, on video too.

**Restore.** An encoder-decoder with skip connections (Ronneberger et al., U-Net, MICCAI 2015) of
residual blocks, nearly all of whose work happens at a quarter of the photo's size and below. It
sees the relit photo and each pixel's own gain, since noise grows with it, and through feature-wise
modulation (FiLM; Perez et al., AAAI 2018) what was decided. What needed no light passes unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.colour import LUMA
from undark.pixels.grid import LEVELS, PLACES, TOP
from undark.train.nets import light as lit
from undark.train.nets.blocks import Levels, activate
from undark.train.nets.exposure import expose
from undark.train.nets.srgb import to_linear, to_srgb

__all__ = ["Light", "RelightNet", "multiple_of"]

_USUAL = 0.2
"""Mean linear light to which a photo is brought before the encoder looks at it, so that it sees one
kind of picture whatever the darkness."""
_EAGER = 3.0  # 63 % of the restoration for a third of an EV more light, 95 % for one EV
# Without norms, a step of the optimiser moves a wide layer far; so do not count it in full.
_BRANCH = 0.25
_CELLS = 8  # a side of the grid whose darkest cell bounds the black point
_FLOOR = 1e-3  # of the mean light: below it, what is darker may become lighter
_TINT, _MIX = 0.5, 0.15
# Encoded levels, and the most EV for black in a night; see _Encoder._ceiling.
_FREE, _EXPOSED, _HIGHEST, _BLACK, _NIGHT = 0.2, 0.35, 0.92, 0.03, 1.8


class Light(NamedTuple):
    """What was decided for a photo.

    Attributes:
        grid: N×L×h×w, gains in EV over brightness and place.
        colour: N×3×3, applied to linear RGB; the identity leaves colours as they are.
        black: N×3×1×1, the level in linear light that becomes black.
        context: N×C, features that modulate the restoration.
    """

    grid: Tensor
    colour: Tensor
    black: Tensor
    context: Tensor


class _Encoder(nn.Module):
    """Decides from the glance; see :class:`Light`."""

    def __init__(self, *, context: int, width: int, dropout: float) -> None:
        super().__init__()
        sizes = [7, *(width * factor for factor in (1, 2, 3, 4))]
        self.features: nn.ModuleList = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(sizes)
        )
        self.mix: nn.Sequential = nn.Sequential(
            nn.Linear(2 * sizes[-1] + 6, 128), nn.ReLU(), nn.Dropout(dropout)
        )
        self.context: nn.Linear = nn.Linear(128, context)
        self.decide: nn.Linear = nn.Linear(128, 1 + LEVELS + 3 + 2 + 6)
        self.gather: nn.Conv2d = nn.Conv2d(sum(sizes[2:]) + 128, 64, 3, 1, 1)
        self.place: nn.Conv2d = nn.Conv2d(64, LEVELS, 3, 1, 1)
        for last in (self.decide, self.place):
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)
        with torch.no_grad():
            self.decide.bias[0] = 2.0  # most photos that one is given are dark
            self.decide.bias[1 + LEVELS : 4 + LEVELS] = -1.0
        weights = torch.tensor(LUMA).view(1, 3, 1)
        self.register_buffer("weights", weights, persistent=False)
        knots = (TOP * torch.arange(LEVELS) / (LEVELS - 1)).square()
        knots = knots / (1.0 - knots)  # over the mean light
        self.register_buffer("bright", knots, persistent=False)
        self.register_buffer("knots", torch.log2(knots + _FLOOR), persistent=False)

    weights: Tensor
    knots: Tensor
    bright: Tensor

    def forward(self, glance: Tensor) -> Light:
        linear = to_linear(glance)
        light = lit.luminance(glance)
        mean = lit.mean_light(glance)
        lacking = torch.log2(_USUAL / mean).clamp(0.0, lit.MOST_STOPS)
        plain = expose(linear, torch.exp2(lacking).expand(-1, 3, -1, -1))
        x = torch.cat((plain, glance, lit.level(light, mean)), dim=1) - 0.5
        scales: list[Tensor] = []
        for convolution in self.features:
            x = F.relu(convolution(x))
            scales.append(x)
        average = plain.mean((2, 3))
        grey = average.mean(1, keepdim=True).clamp(min=1e-3)
        known = (
            lacking.flatten(1) / lit.MOST_STOPS,
            (average / grey - 1.0)[:, ::2],
            grey,
            plain.std((1, 2, 3), correction=0)[:, None],
            (glance > 0.9).to(glance.dtype).mean((1, 2, 3))[:, None],
        )
        mixed = self.mix(torch.cat((x.mean((2, 3)), x.amax((2, 3)), *known), dim=1))
        raw = self.decide(mixed).float()
        share, curve, floor, tint, mix = raw.split((1, LEVELS, 3, 2, 6), dim=1)
        size = (PLACES, PLACES)
        wide = [
            F.interpolate(part, size, mode="nearest")
            for part in (*scales[1:], mixed[:, :, None, None])
        ]
        placed = self.place(F.relu(self.gather(torch.cat(wide, dim=1)))).float()
        grid = torch.sigmoid(share)[:, :, None, None] * lacking + curve[:, :, None, None] + placed
        grid = self._rising(grid.clamp(-3.0, lit.MOST_STOPS))
        grid = torch.minimum(grid, self._ceiling(light, mean))
        # Bright parts are only dimmed beside shadows that are lifted: a bright photo is left alone.
        lifted = lit.firm(lit.read_whole(grid, lit.level(light, mean))).clamp(min=0.0)
        dimmed = _ramp(lifted.mean((1, 2, 3)), 0.05, 0.25)[:, None, None, None]
        grid = torch.where(grid < 0.0, dimmed * grid, grid)
        darkest = F.adaptive_avg_pool2d(linear, _CELLS).amin((2, 3), keepdim=True)
        black = torch.sigmoid(floor)[:, :, None, None] * darkest
        context = torch.tanh(self.context(mixed))
        return Light(grid, self._colour(tint, mix), black, context)

    def _ceiling(self, light: Tensor, mean: Tensor) -> Tensor:
        """The most gain, N×L×1×1, that leaves what is well exposed its drawing, and a night black.

        From 0.35, encoded, on no level is brought above 0.92, and none that is there already gets
        more; below 0.2 there is no such bound. Where lit subjects stand before much black in a
        photo that is dark on the whole, black gets no more than 1.8 EV.
        """
        seen = to_srgb(light)
        night = torch.stack(
            [
                _ramp(((seen > _EXPOSED) & (seen < 0.85)).float().mean((1, 2, 3)), 0.015, 0.03),
                _ramp((seen < _BLACK).float().mean((1, 2, 3)), 0.25, 0.35),
                _ramp(seen.mean((1, 2, 3)), 0.2, 0.14),
            ]
        ).amin(0)[:, None, None, None]
        levels = (self.bright.view(1, -1, 1, 1) * mean).clamp(max=1.0)
        encoded = to_srgb(levels)
        bound = _ramp(encoded, _FREE, _EXPOSED)
        top = torch.maximum(1.0 + bound * (_HIGHEST - 1.0), encoded)
        most = lit.gain_between(levels, to_linear(top))
        most = torch.where(bound > 0.0, most, torch.full_like(most, lit.MOST_STOPS))
        dark = _NIGHT + (lit.MOST_STOPS - _NIGHT) * _ramp(encoded, _BLACK, 4.0 * _BLACK)
        return torch.minimum(most, lit.MOST_STOPS + night * (dark - lit.MOST_STOPS))

    def _rising(self, grid: Tensor) -> Tensor:
        """The grid with no level brought below a darker one of its place: a monotone curve each."""
        knots = self.knots.view(1, -1, 1, 1)
        rows = list((grid + knots).unbind(1))
        for index in range(1, len(rows)):
            rows[index] = torch.maximum(rows[index], rows[index - 1])
        return torch.stack(rows, dim=1) - knots

    def _colour(self, tint: Tensor, mix: Tensor) -> Tensor:
        """A matrix near the identity: greys keep their luminance and, without a tint, their hue."""
        warm, green = tint.unbind(1)
        tint = torch.stack((warm - green, 2.0 * green, -warm - green), dim=1)
        tint = _TINT * torch.tanh(tint)[:, :, None]
        tint = tint - torch.log2((torch.exp2(tint) * self.weights).sum(1, keepdim=True))
        mix = _MIX * torch.tanh(mix)
        zero = torch.zeros_like(mix[:, 0])
        rows = (zero, mix[:, 0], mix[:, 1], mix[:, 2], zero, mix[:, 3], mix[:, 4], mix[:, 5], zero)
        other = torch.stack(rows, dim=1).view(-1, 3, 3)
        # What a channel takes of another it gives of itself: each row sums to one.
        own = torch.eye(3, device=mix.device) - torch.diag_embed(other.sum(2))
        return torch.exp2(tint) * (own + other)


def _ramp(values: Tensor, start: float, end: float) -> Tensor:
    """0 at `start` and before it, 1 from `end` on."""
    return ((values - start) / (end - start)).clamp(0.0, 1.0)


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
        self.encoder: _Encoder = _Encoder(context=context, width=24, dropout=dropout)
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
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder"):
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
        return self.encoder(glance)

    def look(self, glance: Tensor, grid: Tensor) -> Tensor:
        """The gains, N×1×glance×glance in EV, that the glance itself reads from a grid."""
        return lit.read_whole(grid, lit.level(lit.luminance(glance), lit.mean_light(glance)))

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
        light = light._replace(grid=grid.clamp(-4.0, lit.MOST_STOPS))
        enhanced = self.restore(image, gain, glance, light._replace(grid=applied), denoise)
        return enhanced, light.grid, light.colour, light.black.flatten(1)

    def _curve(self, glance: Tensor, grid: Tensor) -> Tensor:
        """The one curve, N×L×1×1, that a grid is around where the glance's pixels lie."""
        weight = lit.occupied(glance) + 1e-2
        return (weight * grid).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True)

    def restore(
        self,
        relit: Tensor,
        gain: Tensor,
        glance: Tensor,
        light: Light,
        denoise: Tensor | float = 1.0,
    ) -> Tensor:
        """Clean `relit`, N×3×H×W, whose pixels got `gain` (N×1×H×W, in EV) more light.

        Args:
            relit: The picture, relit.
            gain: What :func:`undark.train.nets.light.firm` left of the gains.
            glance: Of the whole photos.
            light: The grid that they were relit by, and the features.
            denoise: Fraction of the restoration, N×1×1×1 or one for all.
        """
        added = lit.firm(self.look(glance, light.grid)) / lit.MOST_STOPS
        dims = (1, 2, 3)
        summary = (
            added.mean(dims),
            added.std(dims, correction=0),
            added.amax(dims),
            added.amin(dims),
        )
        context = torch.cat((light.context, torch.stack(summary, dim=1)), dim=1)
        x = self.stem(torch.cat((relit, gain / lit.MOST_STOPS), dim=1))
        x = self.down_and_up(x, context)
        # Activated before they are moved and joined: so runtimes do it within the convolution.
        half = F.pixel_shuffle(activate(self.head(activate(x))), 2)
        half = self.blend(torch.cat((half, activate(self.detail(relit))), dim=1))
        drawn = F.pixel_shuffle(self.last(activate(half)), 2)
        # What got no light has nothing to be cleaned of, and passes. A learned share would close
        # for good in a bad moment of training: what does not pass cannot learn.
        share = denoise * (1.0 - torch.exp(-_EAGER * gain.clamp(min=0.0)))
        return relit + share * (drawn - relit)
