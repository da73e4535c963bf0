"""A node for ComfyUI: brings dark images to light.

Put this folder into ``ComfyUI/custom_nodes/`` and install undark into ComfyUI's Python.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import undark
from undark.adjust import CONTROLS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]


@lru_cache(maxsize=1)
def _enhancer(model: str) -> undark.Enhancer:
    return undark.Enhancer(model)


class Undark:
    """Brings a batch of images to light, each by itself."""

    CATEGORY = "image/postprocessing"
    FUNCTION = "enhance"
    RETURN_TYPES = ("IMAGE",)
    DESCRIPTION = "Brings dark images to light, by undark."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's own name
        """What the node takes: images, a model, and undark's controls."""
        controls = {
            name: (
                "FLOAT",
                {
                    "default": item.neutral,
                    "min": item.low,
                    "max": item.high,
                    "step": 0.05,
                    "tooltip": item.meaning,
                },
            )
            for name, item in CONTROLS.items()
        }
        models = [undark.models.resolve("default").card.name]
        models += [name for name in undark.models.names() if name not in models]
        return {"required": {"image": ("IMAGE",), "model": (models,), **controls}}

    def enhance(self, image: Any, model: str, **controls: float) -> tuple[Any]:
        """Bring images to light.

        Args:
            image: A tensor, B×H×W×C, float in [0, 1].
            model: A name from `undark models`.
            **controls: Fields of `undark.Adjust`.

        Returns:
            A tensor of the same shape, type and device.

        Raises:
            UsageError: The model cannot be asked for this.
        """
        images = image.detach().float().cpu().numpy()
        adjust = undark.Adjust(**controls)
        bright = np.stack([_enhancer(model).enhance(one, adjust=adjust) for one in images])
        return (image.new_tensor(bright),)


NODE_CLASS_MAPPINGS = {"Undark": Undark}
NODE_DISPLAY_NAME_MAPPINGS = {"Undark": "Bring to light (undark)"}
