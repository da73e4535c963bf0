"""Reprint the measured tables of README and docs, all or by name; trainings are not repeated.

python benchmarks/tables.py --data DATA
python benchmarks/tables.py --data DATA scores speed
python benchmarks/tables.py --list
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from undark.models import names

FOLDER = Path(__file__).parent

TABLES: dict[str, tuple[str, list[str]]] = {
    "scores": (
        "README: the models on held-out scenes",
        ["scenes.py", "--only", "lol-v1", "sice", "toys", "kept", "--matched"],
    ),
    "baselines": (
        "docs/evaluation.md: the baselines on held-out scenes",
        ["scenes.py", "--baselines", "--only", "lol-v1", "--limit", "16"],
    ),
    "speed": ("README: seconds and memory by size and runtime", ["photos.py"]),
    "speed-curve": ("docs/methods.md", ["photos.py", "--model", "curve"]),
    "tiles": ("docs/large-photos.md: tiles against the whole", ["tiles.py"]),
}
"""By name: where it stands, and the script that prints it with its arguments."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", help="by default all; see --list")
    parser.add_argument("--data", type=Path, help="holds the folders of images")
    parser.add_argument("--list", action="store_true", help="tell the tables' names")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name}: {where}" for name, (where, _) in TABLES.items()))
        return
    if unknown := [name for name in options.name if name not in TABLES]:
        parser.error(f"no table {unknown[0]!r}; known: {', '.join(TABLES)}")
    for name in options.name or TABLES:
        where, (script, *arguments) = TABLES[name]
        command = [sys.executable, str(FOLDER / script), *arguments]
        if script == "scenes.py":
            if options.data is None:
                parser.error(f"the table {name} needs --data")
            command += ["--data", str(options.data)]
            if name == "scores":
                command += [part for model in names() for part in ("-m", model)]
        print(f"\n## {name}\n\n{where}\n", flush=True)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
