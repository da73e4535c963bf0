"""Small models for the tests of this room."""

from small_models import make_model, steps_model
from video_files import curve_model

__all__ = ["curve_model", "make_model", "steps_model"]
