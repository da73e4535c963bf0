"""Light by place and brightness for tensors; the twin of :mod:`undark.pixels.grid`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from undark.pixels.colour import LUMA
from undark.pixels.grid import DEADZONE, LEAST_LIGHT, LEVELS, PLACES, TOP, VIVID
from undark.pixels.tone import KNEE
from undark.train.nets.exposure import shoulder
from undark.train.nets.srgb import to_linear, to_srgb

__all__ = [
    "MOST_STOPS",
    "brightness",
    "firm",
    "fit_grid",
    "gain_between",
    "level",
    "light_up",
    "luminance",
    "mean_light",
    "occupied",
    "read",
    "read_whole",
]

MOST_STOPS = 8.0
"""The most light that is ever added, in EV."""
_LEAST_STOPS = -3.0
_BLACK = 2e-4
_ROUNDS = 3


def luminance(encoded: Tensor) -> Tensor:
    """Linear luminance, N×1×H×W, of the luma of encoded N×3×H×W."""
    red, green, blue = LUMA
    return to_linear(red * encoded[:, 0:1] + green * encoded[:, 1:2] + blue * encoded[:, 2:3])


def brightness(encoded: Tensor) -> Tensor:
    """Linear light, N×1×H×W, of what :func:`undark.pixels.grid.brightness` gives for N×3×H×W."""
    red, green, blue = LUMA
    luma = red * encoded[:, 0:1] + green * encoded[:, 1:2] + blue * encoded[:, 2:3]
    share, against = VIVID
    most, least = encoded.amax(1, keepdim=True), encoded.amin(1, keepdim=True)
    vivid = torch.maximum(share * most, most - against * least)
    return to_linear(torch.maximum(luma, vivid))


def mean_light(glance: Tensor) -> Tensor:
    """The mean light of whole photos, N×1×1×1, from their glances."""
    return brightness(glance).mean((2, 3), keepdim=True).clamp(min=LEAST_LIGHT)


def level(light: Tensor, mean: Tensor) -> Tensor:
    """Where linear `light`, N×1×H×W, stands beside the `mean` light, N×1×1×1."""
    return torch.sqrt(light / (light + mean))


def firm(stops: Tensor) -> Tensor:
    """Firm shrinkage of gains in EV; see :func:`undark.pixels.grid.firm`."""
    size = stops.abs()
    kept = torch.minimum(1.5 * (size - DEADZONE).clamp(min=0.0), size)
    return torch.where(stops < 0.0, -kept, kept)


def read(grid: Tensor, guide: Tensor, where: Tensor) -> Tensor:
    """The gains that pixels read from a grid, before :func:`firm`.

    Args:
        grid: N×L×h×w, gains in EV.
        guide: N×1×H×W, the pixels' levels.
        where: N×2×H×W, x and y of each pixel in the whole photo, in [0, 1].

    Returns:
        N×1×H×W in EV.
    """
    at = torch.cat((where, guide / TOP), dim=1).permute(0, 2, 3, 1)[:, None]
    return F.grid_sample(grid[:, None], 2.0 * at - 1.0, padding_mode="border", align_corners=True)[
        :, 0
    ]


def read_whole(grid: Tensor, guide: Tensor) -> Tensor:
    """As :func:`read`, for all pixels of whole photos; OpenVINO reads no grid of three dimensions.

    Args:
        grid: N×L×h×w, gains in EV.
        guide: N×1×H×W, the pixels' levels.
    """
    rows, columns = guide.shape[2:]
    down, across = (_hats(side, PLACES, guide.device) for side in (rows, columns))
    wide = torch.matmul(torch.matmul(down, grid), across.T)
    return (_hat_levels(guide) * wide).sum(1, keepdim=True)


def light_up(image: Tensor, stops: Tensor, colour: Tensor, black: Tensor) -> Tensor:
    """N×3×H×W with `stops` (N×1×H×W) more light; see :func:`undark.pixels.lighting.light_up`.

    Args:
        image: N×3×H×W in [0, 1].
        stops: N×1×H×W in EV.
        colour: N×3×3, applied to linear RGB.
        black: N×3×1×1, the linear level that becomes black.
    """
    linear = to_linear(image)
    come = stops.clamp(0.0, 1.0)
    less = come * black
    linear = ((linear - less) / (1.0 - less)).clamp(min=0.0)
    mixed = torch.matmul(colour, linear.flatten(2)).view_as(linear).clamp(min=0.0)
    linear = linear + come * (mixed - linear)
    most = linear.amax(1, keepdim=True)
    over = most.clamp(min=1.0)
    most = most / over
    factor = shoulder(most, torch.exp2(stops)) / (most.clamp(min=1e-8) * over)
    return to_srgb((linear * factor).clamp(max=1.0))


def wanted(glance: Tensor, truth: Tensor) -> Tensor:
    """EV, N×1×H×W, that bring each pixel of `glance` to the luminance of `truth`, both encoded.

    The inverse of what :func:`light_up` does with neutral colours; a few thousandths of an EV off
    where the largest channel is near white.
    """
    dark, light = luminance(glance), luminance(truth)
    most = to_linear(glance).amax(1, keepdim=True)
    # The black of the dark picture is worth little: what it lacks is capped by a noise floor.
    ratio = (light + _BLACK) / (dark + _BLACK)
    return gain_between(most, most * ratio).clamp(_LEAST_STOPS, MOST_STOPS)


def gain_between(before: Tensor, after: Tensor) -> Tensor:
    """EV that bring linear levels `before` to `after`, of one shape, where the light rolls off."""
    x, y = before.clamp(1e-4, 0.995), after.clamp(1e-4, 0.995)
    # y = KNEE + (1 - KNEE) * rise, solved for the gain: a quadratic whose larger root is sought.
    rise = ((y - KNEE) / (1.0 - KNEE)).clamp(min=0.0)
    a = (1.0 - rise) * x
    b = rise * (1.0 - 2.0 * KNEE - x) + KNEE * (1.0 + x)
    c = KNEE * KNEE * (1.0 - rise)
    rolled = (b + (b * b - 4.0 * a * c).clamp(min=0.0).sqrt()) / (2.0 * a)
    gain = torch.where((y <= KNEE) | (y <= x), y / x, rolled)
    return torch.log2(gain)


@torch.no_grad()
def fit_grid(glance: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The grid that comes near to lighting `glance` as `truth`, in closed form.

    Each pixel's wanted gain is laid down on the corners of its cell; what is left is laid down
    again. A place takes what it lacks from its neighbours, and they from the whole photo's curve.

    Args:
        glance: N×3×H×W, encoded.
        truth: The same of the truth.

    Returns:
        The grid, N×L×h×w in EV, and the gains wanted by each pixel, N×1×H×W.
    """
    stops = wanted(glance, truth)
    guide = level(brightness(glance), mean_light(glance))
    device = glance.device
    down, across = (_hats(side, PLACES, device) for side in glance.shape[2:])
    flat = torch.kron(down, across)  # pixels×places
    bright = _hat_levels(guide).flatten(2)  # N×L×pixels
    wide, tall = _blur(PLACES, device), _blur(LEVELS, device)
    wide = torch.kron(wide, wide)

    def spread(values: Tensor) -> Tensor:
        return torch.matmul(tall, torch.matmul(values, wide))

    weight = torch.matmul(bright, flat)  # N×L×places
    near_by, total = spread(weight), weight.sum(2, keepdim=True)
    thick = torch.matmul(tall, total)
    grid = torch.zeros_like(weight)
    wanting = rest = stops.flatten(2)
    for _ in range(_ROUNDS):
        put = torch.matmul(bright * rest, flat)
        line = put.sum(2, keepdim=True)
        # Where no pixel lies, the curve; where no level does, the levels beside it; then the mean.
        mean = line.sum(1, keepdim=True) / total.sum(1, keepdim=True)
        curve = (torch.matmul(tall, line) + 4.0 * mean) / (thick + 4.0)
        curve = (line + 8.0 * curve) / (total + 8.0)
        near = (spread(put) + 2.0 * curve) / (near_by + 2.0)
        grid = grid + (put + 2.0 * near) / (weight + 2.0)
        rest = wanting - (bright * torch.matmul(grid, flat.T)).sum(1, keepdim=True)
    return grid.unflatten(2, (PLACES, PLACES)), stops


def occupied(glance: Tensor) -> Tensor:
    """How many of the glance's pixels lie at each level and place of a grid: N×L×h×w."""
    bright = _hat_levels(level(brightness(glance), mean_light(glance)))
    down, across = (_hats(side, PLACES, glance.device) for side in glance.shape[2:])
    return torch.matmul(down.T, torch.matmul(bright, across))


def _hats(side: int, cells: int, device: torch.device) -> Tensor:
    """How much each cell counts for each pixel along a side: side×cells."""
    place = (torch.arange(side, device=device) + 0.5) / side * (cells - 1)
    return (1.0 - (place[:, None] - torch.arange(cells, device=device)).abs()).clamp(min=0.0)


def _hat_levels(guide: Tensor) -> Tensor:
    at = (guide / TOP).clamp(max=1.0) * (LEVELS - 1)
    steps = torch.arange(LEVELS, device=guide.device).view(1, -1, 1, 1)
    return (1.0 - (at - steps).abs()).clamp(min=0.0)


def _blur(count: int, device: torch.device) -> Tensor:
    """A box over three neighbours, ends repeated, as a count×count matrix."""
    matrix = torch.zeros(count, count, device=device)
    for step in (-1, 0, 1):
        columns = (torch.arange(count, device=device) + step).clamp(0, count - 1)
        matrix.index_put_(
            (torch.arange(count, device=device), columns),
            torch.full((count,), 1.0 / 3.0, device=device),
            accumulate=True,
        )
    return matrix
