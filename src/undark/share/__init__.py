"""Before and after in one HTML file that opens offline, to be sent or put on a site."""

from __future__ import annotations

from undark.share.page import Comparison, write_page
from undark.share.sources import Named, Sources, named, results_in

__all__ = ["Comparison", "Named", "Sources", "named", "results_in", "write_page"]
