"""The way from light to dark as a camera goes it, with all that it depends on learned.

The differentiable twin of :func:`undark.train.data.darken.darken`: less exposure in linear light,
white balance, shot and read noise correlated over neighbouring pixels, a pedestal per channel
whose negatives are clipped, a tone curve, 8-bit levels. Where CycleGAN's second generator is a
network that may hide the light image in what it draws (Chu et al., "CycleGAN, a Master of
Steganography", 2017), this one has twelve numbers and can hide nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.train.data.darken import Darkness
from undark.train.nets.srgb import to_linear, to_srgb
from undark.train.shares import rows

__all__ = ["Darkener"]

_REACH = 2


class Darkener(nn.Module):
    """A camera in the dark, with learned noise, colour and tone."""

    def __init__(self) -> None:
        """Begin in the middle of what :func:`~undark.train.data.darken.draw_darkness` draws."""
        super().__init__()
        self.log_shot: nn.Parameter = nn.Parameter(torch.tensor(math.log(4e-4)))
        self.log_read: nn.Parameter = nn.Parameter(torch.full((3,), math.log(6e-4)))
        self.log_correlation: nn.Parameter = nn.Parameter(torch.tensor(math.log(0.6)))
        self.pedestal: nn.Parameter = nn.Parameter(torch.zeros(3))
        self.log_gamma: nn.Parameter = nn.Parameter(torch.tensor(0.0))
        self.log_balance: nn.Parameter = nn.Parameter(torch.zeros(3))

    def forward(
        self, light: Tensor, glance: Tensor, level: Tensor, *, noise: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Darken.

        Args:
            light: N×3×H×W sRGB in [0, 1], parts of photos.
            glance: N×3×h×w, the whole photos shrunk.
            level: N×1×1×1, the mean level that each whole photo shall have in the dark.
            noise: Without it the image is what the camera would give on average.

        Returns:
            The dark parts and the dark glances, in [0, 1].
        """
        with torch.no_grad():
            gain = torch.full_like(level, 0.05)
            for _ in range(12):
                mean = self._tone(self._dim(glance, gain)).mean((1, 2, 3), keepdim=True)
                gain = (gain * (level / mean.clamp(min=1e-4)) ** 1.3).clamp(1e-4, 1.0)
        part, whole = self._dim(light, gain), self._dim(glance, gain)
        if noise:
            part = part + self._deviation(part) * self._noise(part)
        return self._levels(self._tone(part), noise), self._tone(whole)

    def darkness(self, ev: float) -> Darkness:
        """What was learned, for :func:`undark.train.data.darken.darken`, at `ev` less exposure."""

        def triple(values: Tensor) -> tuple[float, float, float]:
            red, green, blue = values.detach().tolist()
            return red, green, blue

        return Darkness(
            ev=ev,
            white_balance=triple(self._balance()),
            shot=self.log_shot.exp().item(),
            read=triple(self.log_read.exp()),
            correlation=self.log_correlation.exp().item(),
            pedestal=triple(self.pedestal),
            gamma=self.log_gamma.exp().item(),
        )

    def _balance(self) -> Tensor:
        return torch.exp(self.log_balance - self.log_balance.mean())

    def _dim(self, image: Tensor, gain: Tensor) -> Tensor:
        return to_linear(image) * gain * self._balance().view(1, 3, 1, 1)

    def _deviation(self, linear: Tensor) -> Tensor:
        read = self.log_read.exp().view(1, 3, 1, 1)
        # Photos of one stack are taken at several sensitivities.
        sensitivity = torch.exp(
            0.3 * rows(lambda count: linear.new_empty(count, 1, 1, 1).normal_(), len(linear))
        )
        return sensitivity * torch.sqrt(self.log_shot.exp() * linear + read * read)

    def _noise(self, like: Tensor) -> Tensor:
        white = rows(lambda count: like.new_empty(count, *like.shape[1:]).normal_(), len(like))
        at = torch.arange(-_REACH, _REACH + 1, device=like.device, dtype=like.dtype)
        line = torch.exp(-0.5 * (at / self.log_correlation.exp()) ** 2)
        kernel = line[:, None] * line[None, :]
        # As `darken`: blurring weakens noise, and half of that is given back.
        kernel = kernel / kernel.sum()
        kernel = kernel / kernel.square().sum().sqrt().sqrt()
        padded = F.pad(white, (_REACH,) * 4, mode="reflect")
        return F.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3)

    def _tone(self, linear: Tensor) -> Tensor:
        lifted = (linear + self.pedestal.view(1, 3, 1, 1)).clamp(0.0, 1.0)
        return to_srgb(lifted).clamp(min=1e-6) ** self.log_gamma.exp()

    @staticmethod
    def _levels(encoded: Tensor, rounded: bool) -> Tensor:
        """Rounded to 8 bits; the gradient passes as if it were not."""
        if not rounded:
            return encoded
        return encoded + (torch.round(encoded * 255.0) / 255.0 - encoded).detach()
