"""Small models for the tests of this room."""

from small_models import make_model, steps_model

__all__ = ["make_model", "steps_model"]
