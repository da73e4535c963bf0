"""A small network that gives a photo its tone curves, from a glance alone.

Curve estimation is Zero-DCE's idea (Guo et al., CVPR 2020). Its curve, x + a·x(1 - x) applied over
and over to encoded values, is here replaced by what more light does: a gain in linear light with
a shoulder (:func:`undark.pixels.tone.exposure`). On photos of rooms at night, told the right
brightness, that is 2 to 3 dB nearer to the truth. Two more numbers take a part of a colour cast
away.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from undark.pixels.colour import LUMA
from undark.pixels.curves import SAMPLES, sample_points
from undark.train.nets.exposure import MOST_STOPS, expose, solve_stops
from undark.train.nets.srgb import to_linear

__all__ = ["CurveNet", "Decision"]

_TINT_FROM = 4.0
_TINT_OVER = 2.0


class Decision(NamedTuple):
    """What was decided from the glance.

    Attributes:
        stops: N×1×1×1, gain in EV, 0 to 8.
        tint: N×3×1×1, EV by which each channel has more; a grey keeps its luminance.
        relit: N×3×h×w, the glance after both.
    """

    stops: Tensor
    tint: Tensor
    relit: Tensor


class CurveNet(nn.Module):
    """Tone curves and noise strengths from a glance.

    The network says how bright the photo should become on the mean, as a correction to `wanted`;
    the gain that makes it so is solved for, so that no darkness is beyond what it has seen. It
    never darkens. What has a cast of the camera's making is very dark: below four stops of gain
    there is no tint, from six on all of it.

    Args:
        glance: Side of the square glance in pixels.
        wanted: Mean luma, in (0, 1), that a photo gets when the correction is zero.
        width: Channels of the first layer.
    """

    weights: Tensor
    samples: Tensor

    def __init__(self, *, glance: int = 64, wanted: float = 0.455, width: int = 12) -> None:
        """Build it; sizes in the class's description."""
        super().__init__()
        self.glance = glance
        self.wanted = wanted
        layers: list[nn.Module] = []
        channels = 3
        for factor in (1, 2, 3, 4):
            layers += [nn.Conv2d(channels, width * factor, 3, 2, 1), nn.ReLU()]
            channels = width * factor
        self.features: nn.Sequential = nn.Sequential(*layers)
        self.decide: nn.Sequential = nn.Sequential(
            nn.Linear(channels + 3, 32), nn.ReLU(), nn.Linear(32, 3)
        )
        nn.init.zeros_(self.decide[2].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.decide[2].bias)  # pyright: ignore[reportArgumentType]
        self.strength: nn.Parameter = nn.Parameter(torch.zeros(2))
        self.register_buffer("weights", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)
        points = torch.from_numpy(sample_points(SAMPLES))
        self.register_buffer("samples", to_linear(points).view(1, 1, 1, -1), persistent=False)

    def forward(self, glance: Tensor) -> tuple[Tensor, Tensor]:
        """Curves and strengths.

        Args:
            glance: N×3×glance×glance, the whole photo shrunk by area averaging, in [0, 1].

        Returns:
            N×3×K curves, rising, in [0, 1], at :func:`undark.pixels.curves.sample_points`; and N×2,
            how much of the measured noise in luma and in colour is to be taken off.
        """
        decision = self.decision(glance)
        gain = torch.exp2(decision.stops + decision.tint)
        curves = expose(self.samples.expand(-1, 3, -1, -1), gain)[:, :, 0]
        # Plus zero times what depends on the photo: a copy for each of the batch, and the
        # exporter keeps the parameter as it is.
        strength = torch.exp(self.strength + 0.0 * decision.stops[:, :, 0, 0])
        return curves, strength

    def decision(self, glance: Tensor) -> Decision:
        """What is decided from `glance`; see :meth:`forward`."""
        linear = to_linear(glance)
        at_first = solve_stops(linear, torch.full_like(glance[:, :1, :1, :1], self.wanted))
        plain = expose(linear, torch.exp2(at_first).expand(-1, 3, -1, -1))
        mean = plain.mean((2, 3))
        pooled = self.features(plain - 0.5).mean((2, 3))
        grey = mean.mean(1, keepdim=True).clamp(min=1e-3)
        rest = torch.cat((at_first.flatten(1) / MOST_STOPS, (mean / grey - 1.0)[:, ::2]), dim=1)
        level, warm, green = self.decide(torch.cat((pooled, rest), dim=1)).chunk(3, dim=1)
        target = self.wanted * torch.exp2(0.5 * torch.tanh(level))[:, :, None, None]
        stops = solve_stops(linear, target)
        tint = torch.tanh(torch.cat((warm - green, 2.0 * green, -warm - green), dim=1))
        tint = tint[:, :, None, None] * ((stops - _TINT_FROM) / _TINT_OVER).clamp(0.0, 1.0)
        # A grey keeps its luminance: only the colour moves.
        tint = tint - torch.log2((torch.exp2(tint) * self.weights).sum(1, keepdim=True))
        return Decision(stops, tint, expose(linear, torch.exp2(stops + tint)))
