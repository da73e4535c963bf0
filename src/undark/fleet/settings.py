"""What a plan's run is: where results go, by which recipe; said once, by whoever begins it."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from undark.adjust import CONTROLS, Adjust
from undark.engine.enhancer import Enhancer
from undark.engine.video import DEFAULT_MODEL
from undark.errors import OutputError, UsageError
from undark.fleet.identity import METRICS, PHOTOS, Recipe
from undark.fleet.opening import local_path, open_store
from undark.fleet.plan import Plan
from undark.fleet.stores import Store, is_remote, without_secrets
from undark.io.record import this_version
from undark.io.video.coding import Coding
from undark.models import resolve

__all__ = ["Asked", "Settings", "begin", "find_run"]

_RUN: Final = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a run; None is what was not said.

    Attributes:
        to: Address of the results; for metrics, none is needed.
        task: `PHOTOS` or `METRICS`.
        model: A catalog name, or the path of an ``.onnx``.
        strength: As in :class:`undark.adjust.Adjust`; so are the next three.
        exposure: Likewise.
        denoise: Likewise.
        local: Likewise.
        format: To write, as Pillow spells it.
        quality: 1 to 100.
        video_quality: ``fast``, ``balanced`` or ``best``.
        codec: As in :class:`undark.io.video.coding.Coding`; so are the next two.
        crf: Likewise.
        preset: Likewise.
        sdr: Bring HDR of videos within the range of SDR.
        strip: "all", "gps" or None.
        salvage: Take what is there of damaged photos.
        overwrite: Replace files at the destination that undark did not write.
        runtime: What computes, or ``auto``.
        device: Likewise.
    """

    to: str | None = None
    task: str = PHOTOS
    model: str | None = None
    strength: float | None = None
    exposure: float | None = None
    denoise: float | None = None
    local: float | None = None
    format: str | None = None
    quality: int | None = None
    video_quality: str | None = None
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    sdr: bool | None = None
    strip: str | None = None
    salvage: bool | None = None
    overwrite: bool | None = None
    runtime: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every worker must know; it can be pickled.

    Attributes:
        plan: Address of the plan.
        source: Address that keys are relative to.
        to: Address of the results; empty for metrics.
        recipe: How they are made.
        model_at: What opens the model for photos.
        clips_at: What opens the one for videos.
        overwrite: Replace what undark did not write.
    """

    plan: str
    source: str
    to: str
    recipe: Recipe
    model_at: str
    clips_at: str
    overwrite: bool = False


def find_run(plan: Plan) -> Settings | None:
    """The run of a plan, or None where none has begun.

    Raises:
        UsageError: It is of another version of undark.
    """
    data = plan.store.find(_RUN)
    if data is None:
        return None
    content: dict[str, Any] = json.loads(data)
    recipe = Recipe.of(content.pop("recipe"))
    return Settings(plan=plan.store.address, source=plan.source, recipe=recipe, **content)


def begin(plan: Plan, asked: Asked) -> Settings:
    """The run of a plan: the one that was begun, or else one as it is asked for now.

    What runs the model is resolved here, once, and pinned, so that all results are alike.

    Raises:
        UsageError: The plan's run is another than is asked for, or no destination was named.
        ModelError: No such model.
        DeviceError: The runtime or device is not there.
        OutputError: The plan's store, or the destination's, knows no put-if-absent.
    """
    found = find_run(plan)
    if found is None:
        settings = _resolved(plan, asked)
        _check_store(plan.store)
        if settings.to:
            _check_store(open_store(settings.to))
        content = {
            "to": settings.to,
            "recipe": settings.recipe.as_dict(),
            "model_at": settings.model_at,
            "clips_at": settings.clips_at,
            "overwrite": settings.overwrite,
        }
        if plan.store.put(_RUN, json.dumps(content, indent=1).encode()):
            return settings
        found = find_run(plan)
        assert found is not None
    _check_same(plan, found, asked)
    if found.recipe.version != this_version():
        raise UsageError(
            f"{plan.store.address}: was begun by undark {found.recipe.version}, and this is"
            f" {this_version()}; go on with that version, or plan again"
        )
    return found


def _resolved(plan: Plan, asked: Asked) -> Settings:
    if asked.task == PHOTOS and not asked.to:
        raise UsageError("name where results go (--to)")
    to = "" if asked.task == METRICS else _address(asked.to or "")
    if to and to.rstrip("/") == plan.source.rstrip("/"):
        raise UsageError(f"{without_secrets(to)}: is the source itself; name another place (--to)")
    name = asked.model or "default"
    photos = resolve(name)
    clips = resolve(DEFAULT_MODEL if name == "default" else name)
    with Enhancer(
        photos,
        runtime=asked.runtime or "auto",
        device=asked.device or "auto",  # pyright: ignore[reportArgumentType] - checked there
        precision="exact",
    ) as opened:
        runtime, device = opened.runtime, opened.device
        heeds = opened.controls
    for control in ("denoise", "local"):
        if getattr(asked, control) is not None and control not in heeds:
            raise UsageError(f"the model {photos.card.name} does not heed --{control}")
    adjust = Adjust(
        **{item: getattr(asked, item) for item in CONTROLS if getattr(asked, item) is not None}
    )
    recipe = Recipe(
        task=asked.task,
        model=photos.card.name,
        sha256=photos.card.sha256,
        clips=clips.card.name,
        clips_sha256=clips.card.sha256,
        adjust=adjust,
        runtime=runtime,
        device=device,
        format=asked.format,
        quality=asked.quality,
        video_quality=asked.video_quality or "balanced",
        codec=Coding(asked.codec, asked.crf, asked.preset).codec,
        crf=asked.crf,
        preset=asked.preset,
        sdr=bool(asked.sdr),
        strip=asked.strip,
        salvage=bool(asked.salvage),
    )
    return Settings(
        plan=plan.store.address,
        source=plan.source,
        to=to,
        recipe=recipe,
        model_at=_model_at(name),
        clips_at=_model_at(name),
        overwrite=bool(asked.overwrite),
    )


def _model_at(name: str) -> str:
    """What opens a model wherever a worker stands: a name, or an absolute path."""
    return str(Path(name).absolute()) if name.lower().endswith(".onnx") else name


def _address(address: str) -> str:
    return address.rstrip("/") if is_remote(address) else str(local_path(address))


def _check_same(plan: Plan, found: Settings, asked: Asked) -> None:
    """See that nothing is asked for that the run is not."""
    recipe = found.recipe
    stands: dict[str, Any] = {
        **{item.name: getattr(recipe, item.name, None) for item in fields(Asked)},
        **{item: getattr(recipe.adjust, item) for item in CONTROLS},
        "to": found.to,
        "overwrite": found.overwrite,
    }
    wanted = {item.name: getattr(asked, item.name) for item in fields(Asked)}
    if asked.to is not None:
        wanted["to"] = _address(asked.to)
    if asked.model is not None:
        card = resolve(asked.model).card
        wanted["model"] = card.name
        if card.name == recipe.model and card.sha256 != recipe.sha256:
            raise UsageError(f"{plan.store.address}: was begun with other weights of {card.name}")
    for name in ("runtime", "device"):
        if wanted[name] == "auto":
            wanted[name] = None
    for name, value in wanted.items():
        if value is not None and value != stands[name]:
            raise UsageError(
                f"{plan.store.address}: was begun with {name} {stands[name]}, not {value}; leave"
                " that out, or plan again for other results"
            )


def _check_store(store: Store) -> None:
    """See that of two who put something under one name, one wins.

    Raises:
        OutputError: Both do: nothing would keep receipts from being replaced.
    """
    name = f"probe-{secrets.token_hex(8)}"
    first, second = (store.put(name, text) for text in (b"first", b"second"))
    store.delete(name)
    if not first or second:
        raise OutputError(
            f"{store.address}: this store knows no put-if-absent, without which work would be"
            " lost or done twice; use another"
        )
