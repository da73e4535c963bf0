"""The PatchGAN discriminator: is each patch of an image real?

Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017):
4×4 convolutions that halve the size, as on the contracting path of a U-Net, and a map of logits,
one for every overlapping patch. Spectral norm (Miyato et al., ICLR 2018) may keep it from
outrunning the generator.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["PatchDiscriminator"]


class PatchDiscriminator(nn.Module):
    """Logits of patches.

    Args:
        inputs: Channels of what it judges: 3 for an image, 6 for one beside its condition.
        widths: Channels after each halving; three halvings see patches of 46×46 pixels, four of
            94×94.
        spectral: Normalise each convolution by its largest singular value; else instance norm
            after all but the first, as the paper's batch norm for single images.
    """

    def __init__(
        self, inputs: int, *, widths: tuple[int, ...] = (24, 48, 96), spectral: bool = True
    ) -> None:
        """Build it; sizes in the class's description."""
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
        for index, width in enumerate(widths):
            convolution = nn.Conv2d(channels, width, 4, 2, 1, padding_mode="reflect")
            layers.append(spectral_norm(convolution) if spectral else convolution)
            if index and not spectral:
                layers.append(nn.InstanceNorm2d(width, affine=True))
            layers.append(nn.LeakyReLU(0.2))
            channels = width
        last = nn.Conv2d(channels, 1, 4, 1, 1)
        layers.append(spectral_norm(last) if spectral else last)
        self.layers: nn.Sequential = nn.Sequential(*layers)
        self.smallest: int = 3 * 2 ** len(widths)

    def forward(self, image: Tensor) -> Tensor:
        """N×inputs×H×W in [0, 1] to N×1×h×w logits, above 0 for real.

        Images smaller than a patch are repeated at the edges.
        """
        rows, columns = (max(0, self.smallest - side) for side in image.shape[2:])
        if rows or columns:
            image = F.pad(image, (0, columns, 0, rows), mode="replicate")
        return self.layers(2.0 * image - 1.0)
