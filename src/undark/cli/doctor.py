"""`undark doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Final

import typer

from undark.cli.options import Debug, Json
from undark.cli.shell import FAILED, command, result, result_json, say
from undark.errors import UndarkError

__all__ = ["doctor"]

_ESSENTIAL: Final[Mapping[str, str]] = {
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "pillow_heif": "pillow-heif",
    "tifffile": "tifffile",
    "defusedxml": "defusedxml",
}

_PURPOSES: Final[Mapping[str, str]] = {
    "openvino": "a faster runtime on the CPU",
    "raw": "camera RAW files",
    "jxl": "JPEG XL files",
    "video": "video files, undark live",
    "serve": "undark serve: the page and the HTTP API",
    "evaluate": "undark evaluate",
    "fleet": "undark fleet",
    "train": "undark train, undark export",
    "dev": "",
}
"""What the package's extras are for; one without a purpose is not for users."""

_EXTRA_FORMATS: Final[Mapping[str, str]] = {"RAW": "rawpy", "JXL": "pyjpegxl"}
"""Formats that need an extra, which bears their name, and the package that it brings."""
_CPU_BUILD: Final = "pip install torch --index-url https://download.pytorch.org/whl/cpu"

_REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)\s*(\[(?P<extras>[^]]*)\])?[^;]*(;.*extra\s*==\s*['\"](?P<extra>[^'\"]+))?"
)


@dataclass(frozen=True, slots=True)
class _Finding:
    """One thing looked at; `note` says what is there or how to get it."""

    kind: str
    name: str
    ok: bool
    note: str
    essential: bool = False


@command
def doctor(
    *,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show versions, devices, what is missing and how to get it."""
    findings = [*_packages(), *_runtimes(), *_extras(), *_models(), *_formats(), *_video()]
    broken = [item for item in findings if item.essential and not item.ok]
    if as_json:
        result_json(
            {
                "undark": metadata.version("undark"),
                "python": platform.python_version(),
                "system": platform.platform(),
                "ok": not broken,
                "findings": [asdict(item) for item in findings],
            },
            indent=2,
        )
    else:
        result(f"undark {metadata.version('undark')}, Python {platform.python_version()}")
        result(f"{platform.platform()}, {sys.executable}")
        kind = ""
        for item in findings:
            if item.kind != kind:
                kind = item.kind
                result(f"\n{kind}")
            mark = "ok" if item.ok else ("BROKEN" if item.essential else "missing")
            result(f"  {mark:<8} {item.name:<24} {item.note}")
    if broken:
        names = ", ".join(item.name for item in broken)
        say(f"broken: {names}; try: pip install --force-reinstall undark")
        raise typer.Exit(FAILED)


def _packages() -> list[_Finding]:
    return [_imported(module, name) for module, name in _ESSENTIAL.items()]


def _imported(module: str, distribution: str) -> _Finding:
    # A package may be there and yet not load (a library of the system is missing): try it.
    try:
        importlib.import_module(module)
    except Exception as error:
        reason = " ".join(str(error).split())
        return _Finding("packages", distribution, False, f"does not load: {reason}", True)
    version = _installed(distribution) or "version unknown"
    return _Finding("packages", distribution, True, version, True)


def _runtimes() -> list[_Finding]:
    from undark.runtime import RUNTIMES

    findings: list[_Finding] = []
    for name, runtime in RUNTIMES.items():
        essential = name in _ESSENTIAL.values()
        devices = runtime.devices()
        if devices or essential:
            note = f"devices: {', '.join(devices) or 'none'}"
        else:
            note = runtime.how_to_get
        findings.append(_Finding("runtimes", name, bool(devices), note, essential))
    return findings


def _extras() -> list[_Finding]:
    findings: list[_Finding] = []
    for extra in metadata.metadata("undark").get_all("Provides-Extra") or ():
        purpose = _PURPOSES.get(extra, extra)
        if not purpose:
            continue
        versions = {name: _installed(name) for name in sorted(_needed(extra))}
        missing = [name for name, version in versions.items() if version is None]
        if missing:
            note = f"{purpose}: pip install 'undark[{extra}]' (lacks {', '.join(missing)})"
        else:
            there = ", ".join(f"{name} {version}" for name, version in versions.items())
            note = f"{purpose}: {there}"
        if "torch" in versions:
            note += _advice(versions["torch"])
        findings.append(_Finding("extras", extra, not missing, note))
    return findings


def _advice(torch: str | None) -> str:
    """Which build of PyTorch suits this machine, where it is not the one that is there."""
    gpu = shutil.which("nvidia-smi") is not None
    if torch is None and not gpu and sys.platform == "linux":
        return f"; before that, for the build without CUDA: {_CPU_BUILD}"
    if torch is not None and gpu and torch.endswith("+cpu"):
        return "; for the NVIDIA GPU: pip install --force-reinstall torch"
    return ""


def _needed(extra: str) -> set[str]:
    """The distributions that an extra brings, as the package's own metadata says."""
    found: set[str] = set()
    for line in metadata.requires("undark") or ():
        parts = _REQUIREMENT.match(line)
        if parts is None or parts["extra"] != extra:
            continue
        if parts["name"] == "undark":
            for other in (parts["extras"] or "").split(","):
                found |= _needed(other.strip())
        else:
            found.add(parts["name"])
    return found


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _models() -> list[_Finding]:
    from undark.models import DEFAULT, names, resolve

    findings: list[_Finding] = []
    for name in names():
        try:
            model = resolve(name)
            model.read()
        except UndarkError as error:
            findings.append(_Finding("models", name, False, str(error), name == DEFAULT))
        else:
            note = f"sha256 {model.card.sha256[:12]}… is its card's"
            findings.append(_Finding("models", name, True, note, name == DEFAULT))
    return findings


def _formats() -> list[_Finding]:
    from undark.io.formats import PHOTO_SUFFIXES, RAW_SUFFIXES, WRITABLE_FORMATS

    features: Any = None
    with suppress(ImportError):
        features = importlib.import_module("PIL.features")
    findings: list[_Finding] = []
    suffixes: dict[str, list[str]] = {}
    for suffix, name in PHOTO_SUFFIXES.items():
        suffixes.setdefault(name, []).append(suffix)
    suffixes["RAW"] = sorted(RAW_SUFFIXES)
    for name, known in suffixes.items():
        use = "read and write" if name in WRITABLE_FORMATS else "read"
        there, note = _codec(features, name), f"{use} {' '.join(known)}"
        if not there and name in _EXTRA_FORMATS:
            note = f"pip install 'undark[{name.lower()}]'"
        findings.append(_Finding("formats", name, there, note))
    return findings


def _video() -> list[_Finding]:
    from undark.io.video.coding import CODECS
    from undark.io.video.containers import READ_ONLY_VIDEOS, VIDEO_SUFFIXES
    from undark.io.video.libav import libav

    try:
        av = libav()
    except UndarkError as error:
        return [_Finding("video", "files", False, str(error))]
    others = " ".join(sorted(READ_ONLY_VIDEOS))
    note = f"read and write {' '.join(VIDEO_SUFFIXES)}; read {others}"
    findings = [_Finding("video", "files", True, note)]
    for name, encoder in CODECS.items():
        there = encoder in av.codecs_available
        findings.append(_Finding("video", name, there, f"written by {encoder}"))
    window = importlib.util.find_spec("tkinter") is not None
    how = "of Tk" if window else "install Python's Tk, for instance python3-tk; or use -o"
    findings.append(_Finding("video", "window of undark live", window, how))
    return findings


def _codec(features: Any, name: str) -> bool:
    """Whether the codec behind a format is there; those without a name are always there."""
    if package := {"HEIF": "pillow_heif", **_EXTRA_FORMATS}.get(name):
        return importlib.util.find_spec(package) is not None
    codec = {"JPEG": "jpg", "PNG": "zlib", "WEBP": "webp", "AVIF": "avif"}.get(name)
    return features is not None and (codec is None or bool(features.check(codec)))
