"""The network of `relight`: a glance decides the light, a lean U-Net restores what it uncovers.

**Glance.** From the whole photo, shrunk, a small encoder decides how bright the photo should be,
how much of its darkest level is no light at all but the camera's pedestal, and a tint. The light is
added as a camera would have gathered it: a gain in linear light, with a shoulder so that
highlights roll off. This alone is a tone curve per channel, which costs nothing on video.

**Restore.** An encoder-decoder with skip connections (Ronneberger et al., U-Net, MICCAI 2015) of
residual blocks, nearly all of whose work happens at a quarter of the photo's size and below. It
sees the relit photo and the source, and through feature-wise modulation (FiLM; Perez et al., AAAI
2018) what was decided: noise grows with the gain. What needed no light passes unchanged.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.colour import LUMA
from undark.pixels.curves import SAMPLES, sample_points
from undark.train.nets.blocks import Levels, activate
from undark.train.nets.exposure import MOST_STOPS, expose, mean_luma, solve_stops
from undark.train.nets.srgb import to_linear

__all__ = ["Light", "RelightNet", "multiple_of"]

_USUAL = 0.45
"""Mean luma to which a photo is brought before the encoder looks at it, so that it sees one kind
of picture whatever the darkness."""
_EAGER = 3.0  # 63 % of the restoration for a third of an EV more light, 95 % for one EV
# Without norms, a step of the optimiser moves a wide layer far; so do not count it in full.
_BRANCH = 0.25
_STEEP = 8
_CELLS = 8  # a side of the grid whose darkest cell bounds the black point


class Light(NamedTuple):
    """What was decided for a photo.

    Attributes:
        level: N×1×1×1, mean luma that it should have.
        share: N×1×1×1 in [0, 1], how much of the light that this takes it needs: 0 for a photo
            that is well lit as it is.
        tint: N×3×1×1, EV by which each channel has more; a grey keeps its luminance.
        black: N×3×1×1, the level in linear light that becomes black.
        map: N×3×16×16, how much more (above 0) or less of it falls on each part, in EV at black.
        context: N×C, features that modulate the restoration.
    """

    level: Tensor
    share: Tensor
    tint: Tensor
    black: Tensor
    map: Tensor
    context: Tensor


class _Encoder(nn.Module):
    """Decides from the glance; see :class:`Light`."""

    def __init__(self, *, context: int, width: int, dropout: float, doubt: float) -> None:
        super().__init__()
        self.doubt = doubt
        sizes = [6, *(width * factor for factor in (1, 2, 3, 4))]
        self.features = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(sizes))
        self.mix = nn.Sequential(nn.Linear(2 * sizes[-1] + 6, 128), nn.ReLU(), nn.Dropout(dropout))
        self.context = nn.Linear(128, context)
        self.decide = nn.Linear(128, 7)
        self.gather = nn.Conv2d(sum(sizes[2:]) + 128, 64, 3, 1, 1)
        self.place = nn.Conv2d(64, 3, 3, 1, 1)
        for last in (self.decide, self.place):
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)
        with torch.no_grad():
            self.decide.bias[1] = 2.0  # most photos that one is given are dark
            self.decide.bias[4:] = -1.0
        self.prior = nn.Parameter(torch.tensor(0.0))
        weights = torch.tensor(LUMA).view(1, 3, 1, 1)
        self.register_buffer("weights", weights, persistent=False)

    weights: Tensor

    def forward(self, glance: Tensor) -> Light:
        linear = to_linear(glance)
        usual = torch.full_like(glance[:, :1, :1, :1], _USUAL)
        at_first = solve_stops(linear, usual)
        plain = expose(linear, torch.exp2(at_first).expand(-1, 3, -1, -1))
        x = torch.cat((plain, glance), dim=1) - 0.5
        scales: list[Tensor] = []
        for convolution in self.features:
            x = F.relu(convolution(x))
            scales.append(x)
        mean, given = plain.mean((2, 3)), mean_luma(glance).flatten(1)
        grey = mean.mean(1, keepdim=True).clamp(min=1e-3)
        known = (
            at_first.flatten(1) / MOST_STOPS,
            (mean / grey - 1.0)[:, ::2],
            given,
            plain.std((1, 2, 3), correction=0)[:, None],
            (glance > 0.9).to(glance.dtype).mean((1, 2, 3))[:, None],
        )
        pooled = (x.mean((2, 3)), x.amax((2, 3)))
        mixed = self.mix(torch.cat((*pooled, *known), dim=1))
        raw = self.decide(mixed).float()[:, :, None, None]
        correction = self.prior + torch.tanh(raw[:, 0:1])
        if not self.training:
            correction = _believed(correction, self.doubt * _doubtful(at_first))
        level = _USUAL * torch.exp2(correction)
        tint = 0.7 * torch.tanh(
            torch.cat((raw[:, 2:3] - raw[:, 3:4], 2.0 * raw[:, 3:4], -raw[:, 2:3] - raw[:, 3:4]), 1)
        )
        tint = tint - torch.log2((torch.exp2(tint) * self.weights).sum(1, keepdim=True))
        darkest = F.adaptive_avg_pool2d(linear, _CELLS).amin((2, 3), keepdim=True)
        black = torch.sigmoid(raw[:, 4:7]) * darkest
        size = scales[1].shape[2:]
        wide = [
            F.interpolate(part, size, mode="nearest")
            for part in (*scales[1:], mixed[:, :, None, None])
        ]
        placed = 1.5 * torch.tanh(self.place(F.relu(self.gather(torch.cat(wide, dim=1)))).float())
        # While it learns, both ends must be able to come back; then to hedge is wrong for both.
        share = torch.sigmoid(raw[:, 1:2]) if self.training else _decided(raw[:, 1:2])
        context = torch.tanh(self.context(mixed))
        return Light(level.clamp(max=0.9), share, tint, black, placed, context)


def _believed(correction: Tensor, doubt: Tensor) -> Tensor:
    """A correction of the usual level, in EV, without what is likely only a memory of scenes.

    What is small beside `doubt` vanishes, what is large stays: Breiman's garrote (1995), steeper.
    """
    kept = (correction.abs() / doubt.clamp(min=1e-3)).clamp(max=2.0) ** _STEEP
    return correction * kept / (1.0 + kept)


def _doubtful(lacking: Tensor) -> Tensor:
    """How much to doubt a guess of the level for a photo that lacks so many EV, in [0, 1].

    One that lacks little shows how bright its place was, so not at all up to 1 EV; fully from 2.5
    to 4. The truths of the darkest spread more widely, so a guess is worth more there: half from 5.
    """
    return ((lacking - 1.0) / 1.5).clamp(0.0, 1.0) * (1.0 - 0.5 * (lacking - 4.0).clamp(0.0, 1.0))


def _decided(x: Tensor) -> Tensor:
    """As a sigmoid about 0, but 0 below -2 and 1 above 2."""
    return (0.5 + 0.25 * x).clamp(0.0, 1.0)


def multiple_of(widths: tuple[int, ...]) -> int:
    """Height and width that a :class:`RelightNet` of these levels takes are multiples of this."""
    return 2 ** (len(widths) + 1)


class RelightNet(Levels):
    """The glance's decision and the restoration.

    Args:
        widths: Channels at 1/4, 1/8, 1/16, ... of the photo's size; its length is the depth.
        blocks: Residual blocks at each level on the way down, but for the first, and on the way up.
        glance: Side of the square glance in pixels.
        context: Features that the glance hands to the blocks.
        dropout: Of the encoder's hidden layer.
        doubt: Once it has learned, corrections of the usual level that are small beside this, in
            EV, are not made: on scenes not seen the encoder's guess is bolder than it should be.
            How much so depends on how dark the photo is.
    """

    samples: Tensor

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 152),
        blocks: int = 1,
        glance: int = 64,
        context: int = 48,
        dropout: float = 0.3,
        doubt: float = 0.28,
    ) -> None:
        """Build the network; sizes in the class's description."""
        super().__init__()
        self.glance = glance
        self.multiple = multiple_of(widths)
        self.encoder = _Encoder(context=context, width=24, dropout=dropout, doubt=doubt)
        first, fine = widths[0], 16
        inside = context + 4  # and the gain that each channel got
        # The first level is dear and has none on the way down; the deepest has those of both ways.
        counts = [blocks if level else 0 for level in range(len(widths) - 1)] + [2 * blocks]
        self.stem = nn.Conv2d(3, first, 8, 4, 2)
        self.lay(widths, down=counts, up=blocks, context=inside, branch=_BRANCH)
        self.head = nn.Conv2d(first, 4 * fine, 1)
        self.detail = nn.Conv2d(3, fine, 4, 2, 1)
        self.blend = nn.Conv2d(2 * fine, fine, 3, 1, 1)
        self.last = nn.Conv2d(fine, 12, 3, 1, 1)
        points = torch.from_numpy(sample_points(SAMPLES))
        self.register_buffer("samples", to_linear(points).view(1, 1, 1, -1), persistent=False)
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

    def decide(self, glance: Tensor) -> Light:
        """What the glance, N×3×glance×glance in [0, 1], decides."""
        return self.encoder(glance)

    def stops(self, glance: Tensor, light: Light, level: Tensor) -> Tensor:
        """EV (N×1×1×1) that bring a photo to the mean luma `level`, its black point taken off."""
        return solve_stops(_less_black(to_linear(glance), light.black), level)

    def relight(self, linear: Tensor, light: Light, stops: Tensor) -> Tensor:
        """Linear light (N×3×…) with `stops` more of it, encoded; with none it is as it was.

        Tint and black point come with the light: a photo that needs none keeps its own.
        """
        come = stops.clamp(0.0, 1.0)
        gain = torch.exp2(stops + come * light.tint)
        return expose(_less_black(linear, come * light.black), gain)

    def place(self, relit: Tensor, light: Light, stops: Tensor, where: Tensor) -> Tensor:
        """Each part of `relit` lifted as the map says; see :func:`undark.pixels.curves.lift`.

        Args:
            relit: N×3×H×W, encoded.
            light: With the map.
            stops: N×1×1×1; as they near 0, so does what is done.
            where: N×2×H×W, the pixels' places in the whole photo: x and y in [0, 1].
        """
        grid = 2.0 * where.permute(0, 2, 3, 1) - 1.0
        gains = torch.exp2(stops.clamp(0.0, 1.0) * light.map)
        gains = F.grid_sample(gains, grid, padding_mode="border", align_corners=False)
        return gains * relit / (1.0 + (gains - 1.0) * relit)

    def forward(
        self, image: Tensor, glance: Tensor, control: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decide, and restore what was relit accordingly.

        Args:
            image: N×3×H×W in [0, 1]: the photo, or a part of it, after the curves and the map
                that this very glance and control give; height and width multiples of `multiple`.
            glance: N×3×glance×glance, the whole photos as they are, shrunk by area averaging.
            control: N×3: exposure added by hand in EV; strength, the share of the light decided
                on, in EV; denoise, the share of the restoration. 0, 1, 1 is the network's own
                choice.

        Returns:
            N×3×H×W, about [0, 1], which the caller clamps; N×3×K curves, rising, at
            :func:`undark.pixels.curves.sample_points`; and the map to follow them, N×3×16×16 gains
            g of :func:`undark.pixels.curves.lift`.
        """
        exposure, strength, denoise = control[:, :, None, None].split(1, dim=1)
        light = self.decide(glance)
        stops = light.share * self.stops(glance, light, light.level)
        stops = (strength * stops + exposure).clamp(-4.0, MOST_STOPS)
        curves = self.relight(self.samples.expand(-1, 3, -1, -1), light, stops)[:, :, 0]
        gains = torch.exp2(stops.clamp(0.0, 1.0) * light.map)
        return self.restore(image, light, stops, denoise), curves, gains

    def enlarge(self, x: Tensor, level: int) -> Tensor:
        """Convolve, then resize: a quarter of the work."""
        return F.interpolate(self.ups[level](x), scale_factor=2.0, mode="nearest")

    def restore(
        self, relit: Tensor, light: Light, stops: Tensor, denoise: Tensor | float = 1.0
    ) -> Tensor:
        """Clean `relit`, N×3×H×W, which got `stops` more light."""
        added = torch.cat((stops, stops.clamp(0.0, 1.0) * light.tint), dim=1).flatten(1)
        context = torch.cat((light.context, added / MOST_STOPS), dim=1)
        x = self.stem(relit)
        x = self.down_and_up(x, context)
        # Activated before they are moved and joined: so runtimes do it within the convolution.
        half = F.pixel_shuffle(activate(self.head(activate(x))), 2)
        half = self.blend(torch.cat((half, activate(self.detail(relit))), dim=1))
        drawn = F.pixel_shuffle(self.last(activate(half)), 2)
        # What got no light has nothing to be cleaned of, and passes. A learned share would close
        # for good in a bad moment of training: what does not pass cannot learn.
        share = denoise * (1.0 - torch.exp(-_EAGER * stops.clamp(min=0.0)))
        return relit + share * (drawn - relit)


def _less_black(linear: Tensor, black: Tensor) -> Tensor:
    return ((linear - black) / (1.0 - black)).clamp(min=0.0)
