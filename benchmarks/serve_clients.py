"""The clients of `benchmarks/serve.py`: a file for locust, told by its environment what to send."""

from __future__ import annotations

import csv
import os
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from locust import HttpUser, events, task

PHOTO: Final = Path(os.environ["UNDARK_PHOTO"]).read_bytes()
MODEL: Final = os.environ["UNDARK_MODEL"]
REQUESTS: Final = int(os.environ["UNDARK_REQUESTS"])
RESULTS: Final = Path(os.environ["UNDARK_RESULTS"])

answers: list[tuple[int, float]] = []
number = count(1)


class Client(HttpUser):
    """One that sends a photo, and the next one as soon as it has its answer."""

    @task
    def enhance(self) -> None:
        """Send a photo; the last of all ends the run."""
        sent = next(number)
        if sent > REQUESTS:
            if len(answers) >= REQUESTS and self.environment.runner is not None:
                self.environment.runner.quit()
            return
        begin = perf_counter()
        answer: Any = self.client.post("v1/enhance", params={"model": MODEL}, data=PHOTO)
        answers.append((int(answer.status_code), perf_counter() - begin))


@events.quitting.add_listener
def write(**_: Any) -> None:
    """Keep the answers."""
    with RESULTS.open("w", newline="") as file:
        csv.writer(file).writerows(answers)
