"""What the files in a run's folder are called."""

from typing import Final

__all__ = ["CHECKPOINT", "RECIPE", "STUDY", "WEIGHTS"]

CHECKPOINT: Final = "last.ckpt"
"""What a run resumes from."""

RECIPE: Final = "recipe.toml"
"""The run's own recipe."""

STUDY: Final = "study.log"
"""What a sweep goes on from."""

WEIGHTS: Final = "weights.safetensors"
"""What can be exported."""
