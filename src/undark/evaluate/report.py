"""The Report: what an evaluation found, as numbers, files and pictures."""

from undark.evaluate.grid import picture_grid

__all__ = ["picture_grid"]
