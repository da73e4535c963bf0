"""How good a look is: against the truth, or by itself where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage
from undark.pixels.colour import luma
from undark.pixels.look import Look

__all__ = ["HINT", "Truth", "no_reference"]

HINT = 8
"""Numbers of a hint."""

_BLOCK = 8
_WINDOW = 7
# 40 dB: nearer to the truth than this nothing is gained, so what is well is left alone.
_FLOOR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a photo should look like, to score looks at it.

    Attributes:
        glance: h×w×3, the truth's glance.
        patches: N×S×S×3, the truth at the places of the photo's patches.
        structure: Weight of SSIM beside PSNR/10.
    """

    glance: FloatImage
    patches: NDArray[np.float32]
    structure: float = 1.0

    def score(self, look: Look) -> float:
        """PSNR in tens of dB plus weighted SSIM, as estimated from glance and patches.

        The mean square error of the photo is that of its means over blocks plus what is left
        within them: the glance knows the first for the whole photo, the patches the second.
        Their own whole error, unbiased but of few places, is averaged in, because the glance of a
        curved photo is not the curve of its glance.
        """
        error = _sheet(look.patches) - _sheet(self.patches)
        size = (error.shape[1] // _BLOCK, error.shape[0] // _BLOCK)
        blocks = np.asarray(cv2.resize(error, size, interpolation=cv2.INTER_AREA), np.float32)
        whole = _square(error)
        within = whole - _square(blocks)
        across = _square(look.glance - self.glance)
        estimate = (whole + within + across) / 2
        psnr = -np.log10(max(estimate, _FLOOR))
        return float(psnr + self.structure * _ssim(look.patches, self.patches))

    def hint(self, look: Look, score: float) -> NDArray[np.float32]:
        """`HINT` numbers of about -1 to 1 on how far `look`, of that `score`, is from the truth.

        One for having a truth, the score, how much darker each channel of the glance is in EV,
        and its error, and that of the patches.
        """
        small = np.float32(1 / 512)
        now, then = (np.array(cv2.mean(image)[:3]) for image in (look.glance, self.glance))
        errors = [_square(look.glance - self.glance), _square(look.patches - self.patches)]
        return np.concatenate(
            [
                [1.0, score - 2.0],
                np.log2((now + small) / (then + small)),
                np.log10(np.array(errors) + _FLOOR) + 2.0,
                [then.mean()],
            ],
            dtype=np.float32,
        )


def _square(values: NDArray[np.float32]) -> float:
    flat = values.ravel()
    return float(flat @ flat) / flat.size


def _sheet(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """N×S×S×3 as one image, NS×S×3, so that one call of a filter does all."""
    return patches.reshape(-1, *patches.shape[2:])


def _ssim(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """SSIM with a uniform 7×7 window, mean over patches and channels (Wang et al. 2004)."""
    one, other = _sheet(first), _sheet(second)
    edge = _WINDOW // 2
    inner = (slice(None), slice(edge, -edge), slice(edge, -edge))

    def blur(values: NDArray[np.floating]) -> NDArray[np.float32]:
        # Windows that reach into the next patch are left out.
        blurred = np.asarray(cv2.blur(values, (_WINDOW, _WINDOW)), np.float32)
        return blurred.reshape(first.shape)[inner]

    mean_one, mean_other = blur(one), blur(other)
    square = blur(one * one + other * other)
    both = mean_one * mean_other
    squares = mean_one * mean_one + mean_other * mean_other
    covariance = blur(one * other) - both
    similarity = (2 * both + 1e-4) * (2 * covariance + 9e-4)
    similarity /= (squares + 1e-4) * (square - squares + 9e-4)
    return float(similarity.mean())


def no_reference(look: Look) -> float:
    """How well a look is exposed, of about -1 to 1: for photos without a truth.

    A mean level near the middle, contrast, little cast, little noise, nothing clipped; the first
    two after the qualities of Mertens et al., "Exposure Fusion" (2007), the cast by the grey
    world (Buchsbaum 1980).
    """
    light = luma(look.glance)
    means = np.array(cv2.mean(look.glance)[:3])
    level = float(light.mean())
    exposed = float(np.exp(-(((level - 0.45) / 0.2) ** 2)))
    contrast = min(float(light.std()) / 0.2, 1.0)
    cast = float(np.abs(means - means.mean()).max()) / max(level, 0.02)
    rough = np.diff(luma(look.patches), axis=2)
    noise = float(np.median(np.abs(rough)))
    clipped = float((look.glance > 254 / 255).mean() + (light < 1 / 255).mean())
    return exposed + 0.3 * contrast - 0.3 * min(cast, 1.0) - 3.0 * noise - clipped
