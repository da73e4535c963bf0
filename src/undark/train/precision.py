"""In what a run computes: bfloat16 where the hardware really has it, float32 elsewhere.

Where a processor lacks it, bfloat16 is computed by way of float32: no faster, and less exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import torch

from undark.train.recipe import Precision

__all__ = ["Exact", "choose_precision", "has_bfloat16"]

Exact = Literal["bf16-mixed", "16-mixed", "32-true"]
"""What can be computed in, as Lightning names it."""

_WORDS: dict[str, str] = {
    "bf16-mixed": "bfloat16",
    "16-mixed": "float16",
    "32-true": "float32",
}
_FLAGS = {"avx512_bf16", "amx_bf16"}
_CPUINFO = Path("/proc/cpuinfo")


def choose_precision(asked: Precision, device: str) -> tuple[Exact, str]:
    """What to compute in, and a line for a person that says so.

    Args:
        asked: The recipe's ``fit.precision``.
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    if asked != "auto":
        return asked, f"computing in {_WORDS[asked]}, as fit.precision says"
    on = "cuda" if device == "auto" and torch.cuda.is_available() else device
    where = "GPU" if on == "cuda" else "processor"
    if has_bfloat16(on):
        return "bf16-mixed", f"computing in bfloat16, which this {where} has"
    return "32-true", f"computing in float32, as this {where} has no bfloat16"


def has_bfloat16(device: str) -> bool:
    """Whether `device` computes in bfloat16 itself: a GPU, or a CPU with AVX512-BF16 or AMX."""
    if device == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(_FLAGS & _cpu_flags())


def _cpu_flags() -> set[str]:
    """What this machine's processor can, by the names that Linux gives it."""
    if hasattr(torch.cpu, "get_capabilities"):  # which older versions of PyTorch lack
        known = cast("dict[str, object]", torch.cpu.get_capabilities())
        return {name for name, value in known.items() if value is True}
    try:
        text = _CPUINFO.read_text(encoding="utf-8")
    except OSError:  # not Linux
        return set()
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(flags.partition(":")[2].split())
