"""What each part of the recipe earns, on scenes that the network has not seen.

    python benchmarks/ablation.py --data DATA

trains `recipes/unet.toml` for a short while with one thing changed at a time and prints the table
of docs/training.md. DATA holds the folders that the recipe's sources name. Runs that are already
in `runs/ablation` are not repeated.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from undark.train import run

SHORT = (
    "fit.steps=400",
    "fit.warmup=60",
    "fit.ema=0.99",
    "fit.validate_every=100000",
    "data.crop=96",
    "data.held_out=0.06",
)

VARIANTS: dict[str, tuple[str, ...]] = {
    "the recipe": (),
    "without the exposure term": ("loss.exposure=0",),
    "without the matched term": ("loss.matched=0",),
    "without the structure term": ("loss.structure=0",),
    "without the colour term": ("loss.colour=0",),
    "plain U-Net, no glance": ("net.glance=0", "loss.exposure=0"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    root = Path(__file__).parents[1]
    print("| changed | on | PSNR | SSIM | matched PSNR | exposure error, EV |")
    print("|---|---|---|---|---|---|")
    for name, changes in VARIANTS.items():
        folder = root / "runs" / "ablation" / name.replace(" ", "-").replace(",", "")
        done = folder / "measured.json"
        if done.is_file():
            measured = json.loads(done.read_text(encoding="utf-8"))
        else:
            measured = run(
                root / "recipes" / "unet.toml",
                data=arguments.data,
                out=folder,
                overrides=[*SHORT, *changes],
            ).measured
        for record in measured:
            source = record["on"].split()[0]
            print(
                f"| {name} | {source} ({record['pictures']}) | {record['psnr']:.2f}"
                f" | {record['ssim']:.3f} | {record['psnr_matched']:.2f}"
                f" | {record['error_ev']:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
