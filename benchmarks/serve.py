"""What `undark serve` takes: throughput beside the library's own, latency, and memory.

    python benchmarks/serve.py
    python benchmarks/serve.py --clients 24 --requests 1000 --megapixels 0.24 -m curve

Starts a server on this machine, sends it photos by locust (`pip install locust`), and prints
Markdown: photos a second of the library in this process and of the server, latency by percentile,
answers by status (429 says that the queue is full), and the memory of the server and its processes
after 100 requests and at the end. `--sliders` measures previews as a page asks for them: one after
another, each with another exposure.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from time import monotonic, perf_counter, sleep
from typing import TYPE_CHECKING

import httpx
import psutil

from photos import make_photo
from undark import Enhancer
from undark.evaluate.machine import processor
from undark.io.walk import Pair
from undark.jobs import Options, enhance_one

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

CLIENTS = Path(__file__).parent / "serve_clients.py"
EARLY = 100


@contextmanager
def server(*options: str) -> Generator[tuple[str, psutil.Process]]:
    """A server on this machine, its address and its process."""
    command = [sys.executable, "-m", "undark", "serve", "--port", "0", "--no-open", "--quiet"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def megabytes(process: psutil.Process) -> float:
    """Resident memory of a process and its children, in MB (10^6 bytes)."""
    family = [process, *process.children(recursive=True)]
    return sum(item.memory_info().rss for item in family) / 1e6


def library(photo: Path, model: str, seconds: float) -> float:
    """Photos a second that `jobs.enhance_one` does in this process, files in and files out."""
    target = photo.with_name(f"done{photo.suffix}")
    pair, options = Pair(photo, target), Options(overwrite=True)
    with Enhancer(model) as enhancer:
        enhance_one(pair, enhancer, options)
        begin, count = perf_counter(), 0
        while perf_counter() - begin < seconds:
            enhance_one(pair, enhancer, options)
            count += 1
        return count / (perf_counter() - begin)


def load(url: str, photo: Path, arguments: argparse.Namespace, process: psutil.Process) -> None:
    """Send requests from many clients, and print what came of them."""
    folder = photo.parent
    memory: list[tuple[int, float]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            done = count_of(url)
            memory.append((done, megabytes(process)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = monotonic()
    environment = os.environ | {
        "UNDARK_PHOTO": str(photo),
        "UNDARK_MODEL": arguments.model,
        "UNDARK_REQUESTS": str(arguments.requests),
        "UNDARK_RESULTS": str(folder / "answers.csv"),
    }
    command = ["-m", "locust", "-f", str(CLIENTS), "--headless", "--only-summary"]
    users = ["-u", str(arguments.clients), "-r", str(arguments.clients), "--host", url]
    subprocess.run(
        [sys.executable, *command, *users, "--run-time", f"{arguments.seconds}s"],
        check=False,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = monotonic() - begin
    stop.set()
    watcher.join()
    rows = list(read_answers(folder / "answers.csv"))
    times = [time for status, time in rows if status == 200]
    cuts = quantiles(times, n=100)
    statuses = {status: sum(1 for item, _ in rows if item == status) for status, _ in rows}
    early = [size for done, size in memory if EARLY <= done <= 2 * EARLY] or [memory[0][1]]
    print(
        "\n| clients | answers by status | photos/s | p50 | p90 | p99 | MB early | MB at the end |"
    )
    print("|---|---|---|---|---|---|---|---|")
    shown = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    print(
        f"| {arguments.clients} | {shown} | {len(times) / seconds:.1f} | {cuts[49]:.2f} s"
        f" | {cuts[89]:.2f} s | {cuts[98]:.2f} s | {max(early):.0f} | {memory[-1][1]:.0f} |"
    )


def count_of(url: str) -> int:
    """Photos that a server has done so far."""
    text = httpx.get(f"{url}metrics", timeout=30).text
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in text.splitlines()
        if line.startswith("undark_work_seconds_count")
    )


def read_answers(path: Path) -> Iterator[tuple[int, float]]:
    """Status and seconds of each answer."""
    with path.open(newline="") as file:
        for status, seconds in csv.reader(file):
            yield int(status), float(seconds)


def sliders(url: str, photo: Path, model: str) -> None:
    """Print how long previews take as a slider moves."""
    with httpx.Client(base_url=url, timeout=60) as client:
        id = "the-benchmarks-photo"
        client.put(f"v1/uploads/{id}", content=photo.read_bytes()).raise_for_status()
        times: list[float] = []
        for number in range(22):
            begin = perf_counter()
            query = {"model": model, "exposure": number / 20 - 0.5}
            client.get(f"v1/uploads/{id}/preview", params=query).raise_for_status()
            times.append(perf_counter() - begin)
    first, rest = times[0], sorted(times[2:])
    print("\n| preview of | the first | median | slowest of 20 |")
    print("|---|---|---|---|")
    print(f"| `{model}` | {first:.2f} s | {rest[10]:.3f} s | {rest[-1]:.3f} s |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-m", "--model", default="relight")
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=600, help="at most")
    parser.add_argument("--megapixels", type=float, default=0.24)
    parser.add_argument("--queue", type=int, default=1000, help="photos that may wait")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--sliders", action="store_true", help="measure previews alone")
    arguments = parser.parse_args()
    print(json.dumps({"processor": processor(), "model": arguments.model}))
    options = ("--max-queue", str(arguments.queue), "--runtime", arguments.runtime)
    with tempfile.TemporaryDirectory() as name, server(*options) as run:
        url, process = run
        photo = Path(name) / "photo.jpg"
        sleep(3)
        if arguments.sliders:
            make_photo(photo, 12.0)
            sliders(url, photo, arguments.model)
            return
        make_photo(photo, arguments.megapixels)
        alone = library(photo, arguments.model, 10.0)
        print(f"\nThe library in one process: {alone:.1f} photos/s of {arguments.megapixels} MP.")
        load(url, photo, arguments, process)


if __name__ == "__main__":
    main()
