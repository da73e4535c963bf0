"""What `undark enhance` is asked for: a model, what is to run it, and how results are to be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from undark.adjust import CONTROLS, Adjust
from undark.cli.editing import StepsFiles
from undark.cli.opening import Engine, open_enhancer, open_video
from undark.errors import ModelError, UsageError

if TYPE_CHECKING:
    from undark.engine.enhancer import Enhancer
    from undark.engine.video import VideoEnhancer
    from undark.io.record import Record
    from undark.modes import Mode

__all__ = ["Asked", "qualities"]

_PERCENT = range(1, 101)


def qualities(given: Sequence[str] | None) -> tuple[int | None, str | None]:
    """Of photos in lossy formats, and of videos, from what is given for ``--quality``.

    None is what is not named.

    Raises:
        UsageError: One is neither a number from 1 to 100 nor a quality of videos.
    """
    from undark.engine.frames import QUALITIES

    photos, videos = None, None
    for text in given or ():
        if text in QUALITIES:
            videos = text
        elif text.isdecimal() and int(text) in _PERCENT:
            photos = int(text)
        else:
            raise UsageError(
                f"--quality must be {', '.join(QUALITIES)} (videos) or 1 to 100 (photos),"
                f" not {text}"
            )
    return photos, videos


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to enhance, and how."""

    model: str
    engine: Engine
    strength: float
    exposure: float
    denoise: float | None
    local: float
    explain: bool
    save_steps: Path | None
    video_quality: str = "balanced"

    @property
    def in_steps(self) -> bool:
        """Whether the steps are wanted, to be shown or kept."""
        return self.explain or self.save_steps is not None

    @property
    def _mode(self) -> Mode:
        from undark.models import resolve
        from undark.modes import mode_of

        found = resolve(self.model)
        return mode_of(found.card, str(found.path))

    def adjust(self) -> Adjust:
        """What is asked of photos: to denoise only where the model can be asked that."""
        heeds = "denoise" in self._mode.controls
        denoise = self.denoise if heeds and self.denoise is not None else 1.0
        return Adjust(
            strength=self.strength, exposure=self.exposure, denoise=denoise, local=self.local
        )

    def wanted(self) -> Record:
        """How the results of photos are wanted."""
        from undark.engine.enhancer import wanted
        from undark.models import resolve

        return wanted(
            resolve(self.model).card,
            self.adjust(),
            runtime=self.engine["runtime"],
            precision=self.engine["precision"],
        )

    def open_photos(self) -> Enhancer:
        """The model for photos, loaded and announced."""
        return open_enhancer(self.model, self.engine)

    def open_videos(self, shared: Enhancer | None = None) -> VideoEnhancer:
        """The model for videos, loaded and announced.

        Args:
            shared: The model for photos, where it is open.
        """
        return open_video(
            self.model,
            self.engine,
            quality=self.video_quality,
            shared=shared,
            strength=self.strength,
            exposure=self.exposure,
            denoise=1.0 if self.denoise is None else self.denoise,
            local=self.local,
        )

    def check(self, *, only_photos: bool) -> None:
        """See that photos can be done so, before the model is loaded.

        Where there are videos too, how they are denoised is no matter of it.

        Raises:
            UsageError: The model cannot be asked for this.
            ModelError: No such model.
        """
        from undark.models import resolve

        name, mode = resolve(self.model).card.name, self._mode
        if self.in_steps and not mode.in_steps:
            raise UsageError(
                f"the model {name} does not work in steps; leave out --explain and --save-steps"
            )
        if only_photos and self.denoise is not None and "denoise" not in mode.controls:
            raise UsageError(
                f"the model {name} does not let you choose how much to denoise; leave out --denoise"
            )
        if self.local != 1.0 and "local" not in mode.controls:
            raise UsageError(f"the model {name} does not light places apart; leave out --local")

    def files(self, destinations: Sequence[Path]) -> StepsFiles | None:
        """Where the steps of photos that become `destinations` are kept, if they are."""
        return None if self.save_steps is None else StepsFiles(self.save_steps, destinations)

    def like(self, photo: Path, given: Collection[str]) -> Asked:
        """As a result was made: by its model, with its values.

        Args:
            photo: The result, or a recipe: its record as a JSON file.
            given: Names of what the user has chosen, which stays.

        Raises:
            UsageError: The file has no record, is no recipe, or its model is not at hand.
        """
        from undark.io.record import read_recipe

        if not photo.exists():
            raise UsageError(f"{photo}: there is no such file")
        record = read_recipe(photo)
        if record is None:
            raise UsageError(f"{photo}: has no record of how it was made; leave out --like")
        asked = self if "model" in given else replace(self, model=_model_of(photo, record))
        controls = asked._mode.controls
        values: dict[str, float | None] = {
            name: getattr(record.adjust, name)
            for name, control in CONTROLS.items()
            if name not in given and (control.general or name in controls)
        }
        # Where all noise goes, as by default, nothing was asked; of videos it would be.
        if values.get("denoise") == CONTROLS["denoise"].neutral:
            values["denoise"] = None
        return replace(asked, **values)


def _model_of(photo: Path, record: Record) -> str:
    """The name of the model that a record is of."""
    from undark.engine.editor import STEPS
    from undark.models import resolve

    if record.model == STEPS:
        raise UsageError(f"{photo}: was made by `undark apply`; give that its steps again")
    try:
        same = resolve(record.model).card.sha256.lower() == record.sha256.lower()
    except ModelError:
        same = False
    if not same:
        raise UsageError(
            f"{photo}: was made by a model {record.model or 'without a name'}"
            f" (sha256 {record.sha256[:12]}) that is not among undark's own; name one with -m"
        )
    return record.model
