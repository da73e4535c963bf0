"""What `undark fleet` holds up to: kills, races, a million keys; and how fast it is.

    python benchmarks/fleet.py                  # all but ray
    python benchmarks/fleet.py chaos ray        # some; ray needs `unshare` (a network of its own)

Prints a line for each finding. `chaos` kills a worker or the whole run every ten seconds; `ray`
does so with actors, nodes and the driver of a cluster of two nodes on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psutil
from PIL import Image

_FAILURES = 50

MODEL = ("-m", "curve", "--runtime", "counting")


def small_photos(folder: Path, count: int) -> Path:
    """Dark photos of 64×48 pixels, each of other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = draw.integers(0, 60, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=90)
    return folder


def counting_runtime(folder: Path) -> dict[str, str]:
    """A package with a runtime that notes each photo in a file; the environment that finds it.

    Where `PACE` is in the environment, a photo takes that many seconds more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "counting.py").write_text(
        textwrap.dedent(
            """
            import os
            import time
            from undark.runtime.base import Session
            from undark.runtime.onnxruntime import OnnxRuntime

            class Counting(OnnxRuntime):
                name = "counting"

                def open(self, model, *, device, threads, precision):
                    return Loaded(super().open(
                        model, device=device, threads=threads, precision=precision))

            class Loaded(Session):
                runtime = "counting"

                def __init__(self, inner):
                    super().__init__()
                    self.inner = inner
                    self.signature, self.device = inner.signature, inner.device

                def _run(self, inputs, outputs):
                    file = os.open(os.environ["COUNTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                    os.write(file, b".")
                    os.close(file)
                    time.sleep(float(os.environ.get("PACE", "0")))
                    return self.inner(inputs, outputs)

                def _version(self):
                    return "1"
            """
        )
    )
    info = folder / "counting-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[undark.runtimes]\ncounting = counting:Counting\n")
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(item for item in paths if item)}


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each result, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jpg")
    }


def undark(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "undark", *(str(item) for item in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def said(*arguments: object, codes: Sequence[int] = (0,), **environment: str) -> str:
    """What the command says, run to its end."""
    process = undark(*arguments, **environment)
    out, _ = process.communicate()
    if process.returncode not in codes:
        raise SystemExit(f"{arguments} ended with {process.returncode}: {out}")
    return out


def as_json(*arguments: object, codes: Sequence[int] = (0,), **environment: str) -> dict[str, Any]:
    """The last JSON object that the command prints."""
    lines = said(*arguments, "--json", codes=codes, **environment).splitlines()
    return json.loads([line for line in lines if line.startswith("{")][-1])


@dataclass
class Disturbed:
    """What came of a run under kills."""

    planned: int
    kills: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0
    redone: int = 0
    good: bool = False
    equal: bool = False
    missing: int = 0
    repeated: int = 0

    def line(self, title: str) -> str:
        """The findings in a line."""
        kills = ", ".join(f"{count} × {kind}" for kind, count in self.kills.items())
        return (
            f"{title}: {self.planned} photos in {self.seconds:.0f} s, killed {kills or 'nothing'};"
            f" lost {self.missing}, second receipts {self.repeated}, bytes equal {self.equal},"
            f" verified {self.good}, done again {self.redone} ({self.redone / self.planned:.1%})"
        )


def judged(found: Disturbed, plan: Path, out: Path, counted: Path, calm: dict[str, str]) -> None:
    """Fill in what verify says, and how the results compare with an undisturbed run's."""
    verdict = as_json("fleet", "verify", plan, codes=(0, 1))
    found.good = verdict["good"]
    found.missing = verdict["faults"].get("missing", 0)
    found.repeated = verdict["faults"].get("repeated", 0)
    found.equal = digests(out) == calm
    found.redone = counted.stat().st_size - found.planned


def victims(driver: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Processes of a run that may be killed, by kind."""
    try:
        workers = [c for c in driver.children() if "spawn_main" in " ".join(c.cmdline())]
    except psutil.Error:
        return {}
    return {"worker": workers, "driver": [driver]}


def disturbed(
    plan: Path,
    out: Path,
    arguments: Sequence[object],
    environment: dict[str, str],
    *,
    every: float,
    kinds: Sequence[str],
    find: Callable[[psutil.Process], dict[str, list[psutil.Process]]] = victims,
    after: Callable[[str], None] = lambda _: None,
    photos: int,
    most: int = 1 << 30,
) -> Disturbed:
    """Run a plan to its end while something is killed every so many seconds, `most` times."""
    found = Disturbed(photos)
    draw = random.Random(0)
    begin = time.monotonic()
    process = undark("fleet", "run", plan, "--to", out, *arguments, **environment)
    next_kill = time.monotonic() + every
    number = failures = 0
    while True:
        code = process.poll()
        if code is not None and code >= 0 and code != 137:
            text = process.communicate()[0]
            if code == 0:
                break
            # What a cluster says when a node is taken away; the same command goes on.
            print(f"  (the run ended with {code}: {text.splitlines()[-1:]})")
            failures += 1
            if failures > _FAILURES:
                raise SystemExit("the run does not go on")
        if code is not None:
            if code < 0:
                process.communicate()
            process = undark("fleet", "run", plan, "--to", out, *arguments, **environment)
        if number < most and time.monotonic() > next_kill:
            kind = kinds[number % len(kinds)]
            there = find(psutil.Process(process.pid)).get(kind, [])
            if there:
                draw.choice(there).kill()
                found.kills[kind] = found.kills.get(kind, 0) + 1
                number += 1
                after(kind)
            next_kill = time.monotonic() + every
        time.sleep(0.05)
    found.seconds = time.monotonic() - begin
    return found


def chaos(
    folder: Path, photos: int, every: float, *, processes: int = 2, per_shard: int = 1000
) -> Disturbed:
    """A pool whose workers, and at times the whole run, are killed."""
    source = small_photos(folder / "in", photos)
    environment = counting_runtime(folder / "site")
    calm = calm_run(folder, source, environment)
    counted = folder / "counted"
    plan, out = folder / "plan", folder / "out"
    said("fleet", "plan", source, "-o", plan, "--per-shard", per_shard)
    found = disturbed(
        plan,
        out,
        (*MODEL, "--processes", processes),
        {**environment, "COUNTED": str(counted)},
        every=every,
        kinds=("worker", "worker", "driver"),
        photos=photos,
    )
    judged(found, plan, out, counted, calm)
    return found


def calm_run(folder: Path, source: Path, environment: dict[str, str]) -> dict[str, str]:
    """The results of an undisturbed run."""
    plan, out = folder / "calm-plan", folder / "calm"
    said("fleet", "plan", source, "-o", plan)
    process = undark(
        *("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2),
        **{**environment, "COUNTED": str(folder / "calm-counted")},
    )
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the undisturbed run failed: {told}")
    return digests(out)


def ray_victims(_: psutil.Process) -> dict[str, list[psutil.Process]]:
    """Actors and the second node's raylet, of the cluster in this network namespace.

    The head's raylet is left alone: without its head a cluster is none.
    """
    here = Path("/proc/self/ns/net").readlink()
    found: dict[str, list[psutil.Process]] = {"actor": [], "raylet": [], "driver": [_]}
    for process in psutil.process_iter(["cmdline", "name"]):
        try:
            if Path(f"/proc/{process.pid}/ns/net").readlink() != here:
                continue
            line = process.info["cmdline"] or []
        except (OSError, psutil.Error):
            continue
        if line and line[0].startswith("ray::MapWorker"):
            found["actor"].append(process)
        elif line and line[0].endswith("/raylet") and not any("--head" in part for part in line):
            found["raylet"].append(process)
    return found


def in_namespace(folder: Path, photos: int, every: float, per_shard: int, most: int) -> None:
    """A cluster of two nodes under kills; called in a network namespace of its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    source = folder / "in"
    environment = counting_runtime(folder / "site")
    counted = folder / "counted"
    # Nothing else is in this network: no token is needed, whether this user has one or not.
    environment |= {
        "COUNTED": str(counted),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
    }
    ray = [sys.executable, "-m", "ray.scripts.scripts"]

    def start(*arguments: str) -> None:
        subprocess.run(
            [*ray, "start", "--node-ip-address", "127.0.0.1", *arguments, "--num-cpus", "1"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    start("--head", "--port", "6379", "--include-dashboard", "false")
    start("--address", "127.0.0.1:6379")

    def again(kind: str) -> None:
        if kind == "raylet":
            start("--address", "127.0.0.1:6379")

    plan, out = folder / "plan", folder / "out"
    said("fleet", "plan", source, "-o", plan, "--per-shard", per_shard)
    found = disturbed(
        plan,
        out,
        (*MODEL, "--ray", "127.0.0.1:6379"),
        environment,
        every=every,
        kinds=("actor", "raylet", "driver"),
        find=ray_victims,
        after=again,
        photos=photos,
        most=most,
    )
    judged(found, plan, out, counted, json.loads((folder / "calm.json").read_text()))
    print(json.dumps(found.__dict__))  # what is left of the cluster ends with the namespace


def ray_chaos(
    folder: Path,
    photos: int,
    every: float,
    *,
    per_shard: int = 50,
    most: int = 1 << 30,
    pace: float = 0.0,
) -> Disturbed:
    """A cluster of two nodes on this machine, of which something is killed now and then.

    A photo takes `pace` seconds more than it would, so that the run outlasts the kills.
    """
    source = small_photos(folder / "in", photos)
    environment = counting_runtime(folder / "site")
    (folder / "calm.json").write_text(json.dumps(calm_run(folder, source, environment)))
    numbers = (photos, every, per_shard, most)
    done = subprocess.run(
        [
            "unshare",
            "-rn",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            sys.executable,
            __file__,
            "--in-namespace",
            str(folder),
            *(str(item) for item in numbers),
        ],
        env={**os.environ, "PACE": str(pace)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the cluster's run failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Disturbed(**json.loads(done.stdout.splitlines()[-1]))


def _racing(folder: str, mark: int, names: int, gate: Any, results: Any) -> None:
    from undark.fleet.opening import open_store

    store = open_store(folder)
    gate.wait()
    results.put([number for number in range(names) if store.put(str(number), b"%d" % mark)])


def race(folder: Path, *, processes: int = 8, names: int = 1000) -> str:
    """Put-if-absent by eight processes at once."""
    context = get_context("spawn")
    gate, results = context.Barrier(processes), context.Queue()
    racers = [
        context.Process(target=_racing, args=(str(folder / "race"), mark, names, gate, results))
        for mark in range(processes)
    ]
    for racer in racers:
        racer.start()
    begin = time.monotonic()
    won = [results.get() for _ in racers]
    for racer in racers:
        racer.join()
    every = sorted(number for numbers in won for number in numbers)
    wins = ", ".join(str(len(numbers)) for numbers in won)
    return (
        f"race: {processes} processes, {names} names: one winner each {every == [*range(names)]}"
        f" (won {wins}) in {time.monotonic() - begin:.1f} s"
    )


def noop(folder: Path, receipts: int = 100_000) -> str:
    """A run that finds everything done."""
    from undark.fleet.plan import make_plan
    from undark.fleet.receipts import Ledger, Receipt
    from undark.fleet.settings import Asked, begin

    table = folder / "many.csv"
    with table.open("w") as file:
        file.write("key,size\n")
        file.writelines(f"photos/{number:07d}.jpg,{number + 1000}\n" for number in range(receipts))
    plan = make_plan(str(table), str(folder / "many-plan"))
    begin(plan, Asked(to=str(folder / "many-out"), model="curve"))
    digest = hashlib.sha256(b"").hexdigest()
    for shard in range(plan.shards):
        ledger = Ledger(plan.store, shard).load()
        rows = plan.rows(shard)
        ledger.append(
            [Receipt(r.row, r.key, digest, r.name, digest, 1000, 0.1, 1e9 + r.row) for r in rows]
        )
        ledger.pack()
    start = time.monotonic()
    said("fleet", "run", folder / "many-plan")
    return f"noop: a run over {receipts} receipts takes {time.monotonic() - start:.1f} s"


def _pages(keys: int) -> type[BaseHTTPRequestHandler]:
    """A server's handler that lists a bucket of so many photos as S3 does, by thousands."""

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            first = int(query.get("continuation-token", ["0"])[0])
            last = min(first + 1000, keys)
            items = "".join(
                f"<Contents><Key>in/{number // 1000}/{number:07d}.jpg</Key>"
                f"<Size>{number + 1}</Size><ETag>&quot;{number:032x}&quot;</ETag></Contents>"
                for number in range(first, last)
            )
            more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < keys else ""
            body = (
                f"<ListBucketResult><IsTruncated>{str(last < keys).lower()}</IsTruncated>"
                f"{more}{items}</ListBucketResult>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Pages


def million(folder: Path, keys: int = 1_000_000) -> list[str]:
    """Planning a million files of a folder, and of a bucket that a server on loopback lists."""
    source = folder / "million"
    for first in range(0, keys, 10_000):
        here = source / f"{first // 10_000:03d}"
        here.mkdir(parents=True)
        for number in range(first, min(first + 10_000, keys)):
            (here / f"{number}.jpg").touch()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _pages(keys))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    lines = [
        f"million: {what}: {planning(address, folder / f'plan-{what}', environment)}"
        for what, address in (("files", str(source)), ("bucket", "s3://bucket/in"))
    ]
    server.shutdown()
    server.server_close()
    shutil.rmtree(source)
    return lines


def planning(source: str, plan: Path, environment: dict[str, str]) -> str:
    """What planning takes, in a process of its own."""
    code = (
        "import sys, time; from undark.evaluate.machine import peak_memory\n"
        "from undark.fleet.plan import make_plan\n"
        "begin, used = time.monotonic(), time.process_time()\n"
        "plan = make_plan(sys.argv[1], sys.argv[2])\n"
        "took = time.monotonic() - begin, time.process_time() - used\n"
        "print(plan.keys, plan.shards, *took, peak_memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, source, str(plan)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    count, shards, seconds, used, peak = done.stdout.split()
    return (
        f"{count} keys, {shards} shards in {float(seconds):.0f} s ({float(used):.0f} s of CPU),"
        f" {int(peak) / 1e6:.0f} MB at most"
    )


def processors() -> float:
    """Seconds of processors that all ended processes of this one took, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def throughput(folder: Path, model: str, counts: Sequence[int], photos: int) -> list[str]:
    """Photos a second by `undark enhance` on one core, and by fleets of some processes."""
    from photos import make_photo

    source = folder / "photos"
    source.mkdir()
    make_photo(source / "0.jpg", 0.96)
    first = (source / "0.jpg").read_bytes()
    for number in range(1, photos):  # a comment at the end makes other bytes of it
        (source / f"{number}.jpg").write_bytes(first + b"%d" % number)
    few = folder / "few"
    few.mkdir()
    for number in range(photos // 6):
        shutil.copy(source / f"{number}.jpg", few)
    asked = ("-m", model, "--threads", 1)

    def timed(name: str, run: Callable[[Path, Path], None]) -> tuple[float, float]:
        """Photos a second, and seconds of processors for each, what a start takes left out."""
        took: list[tuple[float, float]] = []
        for part in (few, source):
            begin, used = time.monotonic(), processors()
            run(part, folder / f"{name}-{part.name}")
            took.append((time.monotonic() - begin, processors() - used))
        more = photos - photos // 6
        return more / (took[1][0] - took[0][0]), (took[1][1] - took[0][1]) / more

    def alone(part: Path, out: Path) -> None:
        # One core for all of it, as a fleet's process has.
        subprocess.run(
            [
                "taskset",
                "-c",
                "0",
                sys.executable,
                "-m",
                "undark",
                "enhance",
                str(part),
                "-o",
                str(out),
                "--precision",
                "exact",
                *(str(item) for item in asked),
            ],
            check=True,
            capture_output=True,
        )

    base, least = timed("enhance", alone)
    title = f"throughput: {model}, 0.96 MP,"
    lines = [f"{title} enhance on one core {base:.2f} photos/s, {least:.3f} CPU s each"]
    for count in counts:

        def fleet(part: Path, out: Path, count: int = count) -> None:
            plan = Path(f"{out}-plan")
            said("fleet", "plan", part, "-o", plan)
            said("fleet", "run", plan, "--to", out, *asked, "--processes", count)

        rate, used = timed(f"fleet{count}", fleet)
        cores = min(count, len(os.sched_getaffinity(0)))
        lines.append(
            f"{title} {count} processes {rate:.2f} photos/s, {used:.3f} CPU s each:"
            f" {rate / cores / base:.0%} of enhance's for each core, by CPU time {least / used:.0%}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    known = ("chaos", "race", "noop", "million", "throughput", "ray")
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join(known))
    parser.add_argument("--photos", type=int, default=2000, help="for chaos and ray")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between kills")
    parser.add_argument("--model", default="relight", help="for throughput")
    parser.add_argument("--in-namespace", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.in_namespace:
        folder, photos, every, per_shard, most = given.in_namespace
        in_namespace(Path(folder), int(photos), float(every), int(per_shard), int(most))
        return
    for what in given.what or known[:-1]:
        with tempfile.TemporaryDirectory(prefix="undark-fleet-") as name:
            folder = Path(name)
            match what:
                case "chaos":
                    print(chaos(folder, given.photos, given.every).line("chaos"))
                case "ray":
                    print(ray_chaos(folder, given.photos, given.every).line("ray"))
                case "race":
                    print(race(folder))
                case "noop":
                    print(noop(folder))
                case "million":
                    print("\n".join(million(folder)))
                case "throughput":
                    print("\n".join(throughput(folder, given.model, (1, 2, 4), 60)))
                case _:
                    parser.error(f"{what} is none of {', '.join(known)}")


if __name__ == "__main__":
    main()
