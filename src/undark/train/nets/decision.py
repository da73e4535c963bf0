"""What `relight` decides from its glance at the whole photo: the light.

A small encoder sees the glance, brought to a usual exposure, and how its levels are distributed. It
decides a grid of gains in EV over place and brightness (a bilateral grid; see
:mod:`undark.pixels.grid`), the mean level that the photo is to have, by which all gains are moved,
how much of each channel's darkest level is no light at all but the camera's pedestal, and how
colours are mixed.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.colour import LUMA
from undark.pixels.grid import DEADZONE, LEVELS, PLACES, TOP
from undark.train.nets import light as lit
from undark.train.nets.exposure import expose, mean_luma
from undark.train.nets.srgb import to_linear, to_srgb
from undark.train.shares import Dropout

__all__ = ["Context", "Decision", "Light"]

_USUAL = 0.2
"""Mean linear light to which a photo is brought before the encoder looks at it, so that it sees one
kind of picture whatever the darkness."""
_WIDTH = 24
_MIXED = 128
_BINS, _ENCODED_BINS = 24, 16
_CELLS = 8  # a side of the grid whose darkest cell bounds the black point
_FLOOR = 1e-3  # of the mean light: below it, what is darker may become lighter
_TINT, _MIX = 0.5, 0.15
# Encoded levels, and the most EV for black in a night; see Decision._ceiling.
_FREE, _EXPOSED, _HIGHEST, _BLACK, _NIGHT = 0.2, 0.35, 0.92, 0.03, 1.1
_WHITE = 0.85  # encoded; from here on a place is as good as white
_FINE = 4  # levels looked at for each of the grid's, where highlights are bounded
_PLAIN = 0.03
_SLIGHT = (0.4, 0.9)  # EV
_LEAST = 0.05  # mean level; white less this is the most
_MEAN_LEVEL = 0.457  # of truths, encoded; the guess before anything is learned
_MEAN_LOGIT = math.log((_MEAN_LEVEL - _LEAST) / (1.0 - _LEAST - _MEAN_LEVEL))
_ROUNDS, _RISE, _FURTHEST = 3, 1.6, 1.5  # EV of gain for an EV of mean level, about


class Light(NamedTuple):
    """What was decided for a photo.

    Attributes:
        grid: N×L×h×w, gains in EV over brightness and place.
        colour: N×3×3, applied to linear RGB; the identity leaves colours as they are.
        black: N×3×1×1, the level in linear light that becomes black.
        level: N×1×1×1, the mean level, encoded, that the photo is to have where it gets light.
    """

    grid: Tensor
    colour: Tensor
    black: Tensor
    level: Tensor


class _Trunk(nn.Module):
    """Sees the glance: features of several sizes, and `_MIXED` of the whole."""

    def __init__(self, *, dropout: float) -> None:
        super().__init__()
        sizes = [7, *(_WIDTH * factor for factor in (1, 2, 3, 4))]
        self.features: nn.ModuleList = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(sizes)
        )
        self.sizes: list[int] = sizes[1:]
        known = 2 * sizes[-1] + 6 + _BINS + _ENCODED_BINS
        self.mix: nn.Sequential = nn.Sequential(
            nn.Linear(known, _MIXED), nn.ReLU(), Dropout(dropout)
        )

    def forward(self, glance: Tensor) -> tuple[list[Tensor], Tensor]:
        light, mean = lit.brightness(glance), lit.mean_light(glance)
        lacking = _lacking(mean)
        plain = expose(to_linear(glance), torch.exp2(lacking).expand(-1, 3, -1, -1))
        levels = lit.level(light, mean)
        x = torch.cat((plain, glance, levels), dim=1) - 0.5
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
            _distribution(levels, _BINS),
            _distribution(torch.sqrt(to_srgb(light)), _ENCODED_BINS),
        )
        return scales, self.mix(torch.cat((x.mean((2, 3)), x.amax((2, 3)), *known), dim=1))


class Context(nn.Module):
    """Features of the whole photo, N×C in [-1, 1], that modulate the restoration."""

    def __init__(self, *, features: int, dropout: float) -> None:
        """Sizes as :class:`undark.train.nets.relight.RelightNet` has them."""
        super().__init__()
        self.trunk: _Trunk = _Trunk(dropout=dropout)
        self.context: nn.Linear = nn.Linear(_MIXED, features)

    def forward(self, glance: Tensor) -> Tensor:
        """Look at N×3×H×W in [0, 1]."""
        return torch.tanh(self.context(self.trunk(glance)[1]))


class Decision(nn.Module):
    """Decides the light from the glance; see :class:`Light`."""

    def __init__(self, *, dropout: float) -> None:
        """Build it; `dropout` of the encoder's hidden layer."""
        super().__init__()
        self.trunk: _Trunk = _Trunk(dropout=dropout)
        self.decide: nn.Linear = nn.Linear(_MIXED, 1 + LEVELS + 3 + 2 + 6)
        # The level is guessed from few features at a time: what little can be read is soon overfit.
        self.level: nn.Sequential = nn.Sequential(Dropout(0.5), nn.Linear(_MIXED, 1))
        self.gather: nn.Conv2d = nn.Conv2d(sum(self.trunk.sizes[1:]) + _MIXED, 64, 3, 1, 1)
        self.place: nn.Conv2d = nn.Conv2d(64, LEVELS, 3, 1, 1)
        for last in (self.decide, self.level[1], self.place):
            assert isinstance(last, (nn.Linear, nn.Conv2d))
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)
        with torch.no_grad():
            self.decide.bias[0] = 2.0  # most photos that one is given are dark
            self.decide.bias[1 + LEVELS : 4 + LEVELS] = -1.0
            self.level[1].bias.fill_(_MEAN_LOGIT)  # pyright: ignore
        # Zero in weights that were learned before there was a level to reach.
        self.moves: nn.Parameter = nn.Parameter(torch.ones(1), requires_grad=False)
        weights = torch.tensor(LUMA).view(1, 3, 1)
        self.register_buffer("weights", weights, persistent=False)
        count = (LEVELS - 1) * _FINE
        levels = (TOP * torch.arange(count + 1) / count).square()
        levels = levels / (1.0 - levels)  # over the mean light
        self.register_buffer("bright", levels, persistent=False)
        self.register_buffer("knots", torch.log2(levels[::_FINE] + _FLOOR), persistent=False)

    weights: Tensor
    knots: Tensor
    bright: Tensor

    def forward(self, glance: Tensor) -> Light:
        """The light for N×3×H×W in [0, 1]; but while it learns, its mirror image has a say too."""
        light = self._see(glance)
        if self.training:
            return light
        other = self._see(glance.flip(3))
        other = other._replace(grid=other.grid.flip(3))
        return Light(*(0.5 * (one + two) for one, two in zip(light, other, strict=True)))

    def _see(self, glance: Tensor) -> Light:
        linear, light = to_linear(glance), lit.brightness(glance)
        mean = lit.mean_light(glance)
        levels = lit.level(light, mean)
        scales, mixed = self.trunk(glance)
        raw = self.decide(mixed).float()
        share, curve, floor, tint, mix = raw.split((1, LEVELS, 3, 2, 6), dim=1)
        size = (PLACES, PLACES)
        wide = [
            F.interpolate(part, size, mode="nearest")
            for part in (*scales[1:], mixed[:, :, None, None])
        ]
        placed = self.place(F.relu(self.gather(torch.cat(wide, dim=1)))).float()
        grid = torch.sigmoid(share)[:, :, None, None] * _lacking(mean)
        # Where all is alike no place differs from another: a plain wall stays plain.
        varied = _ramp(levels.std((1, 2, 3), correction=0), 0.0, _PLAIN)[:, None, None, None]
        grid = grid + curve[:, :, None, None] + varied * placed
        grid = self._rising(grid.clamp(-3.0, lit.MOST_STOPS))
        night = _looks_night(lit.luminance(glance))
        top = self._ceiling(light, mean, night)
        grid = self._under(grid, top)
        # Bright parts are only dimmed beside shadows that are lifted: a bright photo is left alone.
        dimmed = _ramp(_lifted(grid, levels), 0.05, 0.25)
        grid = torch.where(grid < 0.0, dimmed * grid, grid)
        darkest = F.adaptive_avg_pool2d(linear, _CELLS).amin((2, 3), keepdim=True)
        black = torch.sigmoid(floor)[:, :, None, None] * darkest
        level = _LEAST + (1.0 - 2.0 * _LEAST) * torch.sigmoid(self.level(mixed).float())
        level = level[:, :, None, None]
        decided = Light(grid, self._colour(tint, mix), black, level)
        return decided._replace(
            grid=_unless_slight(self._levelled(glance, decided, levels, top, night), levels)
        )

    def _levelled(
        self, glance: Tensor, light: Light, levels: Tensor, top: Tensor, night: Tensor
    ) -> Tensor:
        """The grid moved as a whole, where it adds light, until the glance has its mean level.

        Not in a `night`, whose black keeps the mean down: what is lit would burn for it.
        """
        grid = light.grid
        with torch.no_grad():
            moved = torch.zeros_like(light.level)
            for _ in range(_ROUNDS):
                stops = lit.firm(lit.read_whole(torch.minimum(grid + moved, top), levels))
                seen = lit.light_up(glance, stops, light.colour, light.black)
                further = _RISE * torch.log2(light.level / mean_luma(seen).clamp(min=0.01))
                moved = (moved + further).clamp(-_FURTHEST, _FURTHEST)
        if self.training:
            wanted = torch.log2(light.level)
            moved = moved + _RISE * (wanted - wanted.detach())  # the gradient of the last round
        share = _ramp(_lifted(grid, levels), 0.1, 0.6) * _ramp(grid, 0.0, 0.5)
        share = self.moves * share * (1.0 - night)
        return self._under(self._rising(grid + share * moved), top)

    def _ceiling(self, light: Tensor, mean: Tensor, night: Tensor) -> Tensor:
        """The most gain, N×L×1×1, that leaves what is well exposed its drawing, and a night black.

        From 0.35, encoded, on no level is brought above 0.92, and none that is there already gets
        more; below 0.2 there is no such bound. In a `night`, N×1×1×1 in [0, 1], black gets no
        more than 1.1 EV.
        """
        seen = to_srgb(light)
        most = self._highlights(seen, mean)
        encoded = to_srgb((self.bright[::_FINE].view(1, -1, 1, 1) * mean).clamp(max=1.0))
        dark = _NIGHT + (lit.MOST_STOPS - _NIGHT) * _ramp(encoded, _BLACK, 4.0 * _BLACK)
        return torch.minimum(most, lit.MOST_STOPS + night * (dark - lit.MOST_STOPS))

    def _highlights(self, seen: Tensor, mean: Tensor) -> Tensor:
        """The most gain, N×L×1×1, with which no level of the grid ends above the highest it may.

        Where much of the photo is nearly white, as a sky behind people is, no level between two of
        the grid does either.
        """
        levels = (self.bright.view(1, -1, 1, 1) * mean).clamp(max=1.0)
        encoded = to_srgb(levels)
        bound = _ramp(encoded, _FREE, _EXPOSED)
        top = torch.maximum(1.0 + bound * (_HIGHEST - 1.0), encoded)
        most = lit.gain_between(levels, to_linear(top))
        most = torch.where(bound > 0.0, most, torch.full_like(most, lit.MOST_STOPS))
        # What lies between two levels of the grid reads some of both.
        plain = found = most[:, ::_FINE]
        for part in range(1, _FINE):
            share = part / _FINE
            between = most[:, part::_FINE] + DEADZONE - share * found[:, 1:]
            lower = torch.cat((between / (1.0 - share), found[:, -1:]), dim=1)
            found = torch.minimum(found, lower)
        white = _ramp((seen > _WHITE).float().mean((1, 2, 3)), 0.02, 0.08)[:, None, None, None]
        return plain + white * (found.clamp(min=0.0) - plain)

    def _rising(self, grid: Tensor) -> Tensor:
        """The grid with no level brought below a darker one of its place: a monotone curve each."""
        knots = self.knots.view(1, -1, 1, 1)
        rows = list((grid + knots).unbind(1))
        for index in range(1, len(rows)):
            rows[index] = torch.maximum(rows[index], rows[index - 1])
        return torch.stack(rows, dim=1) - knots

    def _under(self, grid: Tensor, top: Tensor) -> Tensor:
        """The grid with no gain over `top`, N×L×1×1, and no level above a brighter one."""
        knots = self.knots.view(1, -1, 1, 1)
        rows = list((torch.minimum(grid, top) + knots).unbind(1))
        for index in reversed(range(len(rows) - 1)):
            rows[index] = torch.minimum(rows[index], rows[index + 1])
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


def _lifted(grid: Tensor, levels: Tensor) -> Tensor:
    """The mean of the gains that add light, N×1×1×1 in EV, at the glance's pixels."""
    return lit.firm(lit.read_whole(grid, levels)).clamp(min=0.0).mean((1, 2, 3), keepdim=True)


def _looks_night(light: Tensor) -> Tensor:
    """From 0 to 1, N×1×1×1: lit subjects and a black sky in a photo that is dark on the whole.

    A day that is several stops under is as dark, but its sky is what is light.
    """
    seen, dims = to_srgb(light), (1, 2, 3)
    signs = (
        _ramp(((seen > _EXPOSED) & (seen < _WHITE)).float().mean(dims), 0.015, 0.03),
        _ramp((seen < _BLACK).float().mean(dims), 0.17, 0.27),
        _ramp(seen.mean(dims), 0.2, 0.14),
        _ramp((seen[:, :, : seen.shape[2] // 3] < _BLACK).float().mean(dims), 0.3, 0.5),
    )
    return torch.stack(signs).amin(0)[:, None, None, None]


def _unless_slight(grid: Tensor, levels: Tensor) -> Tensor:
    """The grid, or none where it nowhere asks for much: a well-lit photo is left as it is."""
    stops = lit.firm(lit.read_whole(grid, levels))
    most = F.adaptive_avg_pool2d(stops, 2 * PLACES).amax((1, 2, 3))
    return _ramp(most, *_SLIGHT)[:, None, None, None] * grid


def _lacking(mean: Tensor) -> Tensor:
    """EV that bring a photo's `mean` light, N×1×1×1, to the usual."""
    return torch.log2(_USUAL / mean).clamp(0.0, lit.MOST_STOPS)


def _distribution(values: Tensor, bins: int) -> Tensor:
    """How many of `values`, N×1×H×W in [0, 1], lie up to each of `bins` levels: N×bins."""
    centres = torch.arange(bins, device=values.device).view(1, bins, 1, 1)
    near = torch.relu(1.0 - (values * (bins - 1) - centres).abs())
    return near.mean((2, 3)).cumsum(1)
