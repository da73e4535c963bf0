"""Small videos built on the spot, so that no test needs a file of somebody's."""

from video_files import curve_model

__all__ = ["curve_model"]
