"""`fit.compile`: refused where no compiler can do it, and the same result where one does."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from small_recipe import SMALL

from undark.errors import RecipeError
from undark.train import compiling, run

TINY = (*SMALL, "data.crop=16", "fit.steps=3")


def losses(folder: Path) -> list[float]:
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]


def test_what_cannot_be_compiled_is_refused(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"fit\.compile: curve cannot be compiled"):
        run("curve", data=pairs, out=tmp_path / "curve", overrides=["fit.compile=true"])
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    with pytest.raises(RecipeError, match="needs a C\\+\\+ compiler"):
        run("unet", data=pairs, out=tmp_path / "unet", overrides=(*TINY, "fit.compile=true"))
    for wrong in ("1", "yes"):
        with pytest.raises(RecipeError, match=r"fit\.compile: expected one of 'auto', True, False"):
            run("unet", data=pairs, out=tmp_path / "no", overrides=[f"fit.compile={wrong}"])


# The compiler takes half a minute.
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler")
def test_a_compiled_step_is_the_same_step(pairs: Path, tmp_path: Path) -> None:
    plain = run("unet", data=pairs, out=tmp_path / "plain", overrides=TINY)
    overrides = (*TINY, "fit.compile=true")
    compiled = run("unet", data=pairs, out=tmp_path / "compiled", overrides=overrides)
    assert losses(compiled.folder) == pytest.approx(losses(plain.folder), rel=1e-3)
