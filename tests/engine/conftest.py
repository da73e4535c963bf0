"""Small models for the tests of this room."""

from film_files import curve_model
from small_models import make_model, steps_model

__all__ = ["curve_model", "make_model", "steps_model"]
