"""What the files in a run's folder are called."""

from typing import Final

__all__ = ["CHECKPOINT", "RECIPE", "WEIGHTS"]

CHECKPOINT: Final = "last.ckpt"
"""What a run resumes from."""

RECIPE: Final = "recipe.toml"
"""The run's own recipe."""

WEIGHTS: Final = "weights.safetensors"
"""What can be exported."""
