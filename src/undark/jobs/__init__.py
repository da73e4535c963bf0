"""Jobs: one photo or video at a time, and many, with events, resume and an error per file.

A destination is written beside and renamed (:mod:`undark.io.atomic`), so one that exists is
whole, and says how it was made (:mod:`undark.io.record`). A job that was stopped at any moment
goes on where it stopped when it is run again, and does again what was made otherwise.
"""

from __future__ import annotations

from undark.jobs.events import (
    Done,
    Event,
    Failed,
    Notice,
    Options,
    Progress,
    Receipt,
    Skipped,
    Started,
    Summary,
)
from undark.jobs.many import Job
from undark.jobs.one import enhance_one, standing_at

__all__ = [
    "Done",
    "Event",
    "Failed",
    "Job",
    "Notice",
    "Options",
    "Progress",
    "Receipt",
    "Skipped",
    "Started",
    "Summary",
    "enhance_one",
    "standing_at",
]
