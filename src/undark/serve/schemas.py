"""What the API takes and gives, as JSON."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from undark.adjust import CONTROLS
from undark.engine.frames import Quality

__all__ = [
    "VIDEO_QUALITY",
    "About",
    "AdjustValues",
    "ControlInfo",
    "FormatInfo",
    "JobRequest",
    "JobState",
    "LimitInfo",
    "ModelInfo",
    "Models",
    "Problem",
    "ResultInfo",
    "Token",
    "UploadInfo",
]

VIDEO_QUALITY: Final = (
    "Of a video: `fast`, the light alone; `balanced`, noise cleaned off, too; `best`, each frame as"
    " photos are done, several times slower."
)


def _control(name: str) -> Any:
    item = CONTROLS[name]
    return Field(
        default=None, ge=item.low, le=item.high, description=item.meaning, allow_inf_nan=False
    )


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:undark:problem:damaged",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "night.jpg: is damaged or truncated",
                }
            ]
        }
    )
    type: str
    title: str
    status: int
    detail: str


class AdjustValues(BaseModel):
    """What is asked of a result; what is left out is as the model decides."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"exposure": 0.5}]}
    )
    strength: Annotated[float | None, _control("strength")] = None
    exposure: Annotated[float | None, _control("exposure")] = None
    denoise: Annotated[float | None, _control("denoise")] = None
    local: Annotated[float | None, _control("local")] = None

    def given(self) -> dict[str, float]:
        """The values that were given."""
        return self.model_dump(exclude_none=True)


class JobRequest(BaseModel):
    """A photo or video to enhance."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"upload": "b2f7c1d09a4e4c1f", "adjust": {"exposure": 0.5}}]
        },
    )
    upload: str = Field(description="Id of an upload.", pattern=r"^[A-Za-z0-9_-]{16,64}$")
    model: str = Field("default", max_length=100, description="Name of a model, or `default`.")
    adjust: AdjustValues = AdjustValues()
    format: str | None = Field(None, max_length=20, description="`png`, `jpg`, ...; as the source.")
    quality: int | None = Field(None, ge=1, le=100, description="Of formats with loss.")
    strip: Literal["all", "gps"] | None = Field(None, description="What metadata is left out.")
    record: bool = Field(True, description="Say in a photo's result how it was made.")
    salvage: bool = Field(False, description="Take what is there of a damaged photo.")
    begin: float = Field(0.0, ge=0.0, le=1e6, description="Of a video, in seconds.")
    end: float | None = Field(None, gt=0.0, le=1e6, description="Of a video, in seconds.")
    codec: str | None = Field(None, max_length=20, description="Of a video: h264, hevc, vp9, av1.")
    crf: int | None = Field(None, ge=0, le=63, description="Of a video: less is better.")
    preset: str | None = Field(None, max_length=20, description="Of a video: the encoder's effort.")
    bits: Literal[8, 10] | None = Field(None, description="Of a video's samples; as the source.")
    video_quality: Quality = Field("balanced", description=VIDEO_QUALITY)


class UploadInfo(BaseModel):
    """A file that was sent, and what it is."""

    id: str
    name: str
    bytes: int
    sha256: str
    kind: Literal["photo", "video"]
    width: int = Field(description="Of the upright photo, or of a frame as shown.")
    height: int
    seconds: float | None = Field(description="How long a video lasts.")
    bits: int
    alpha: bool
    format: str
    colours: str = Field(description="What its colours are, where they are more than sRGB.")
    notices: list[str]
    record: dict[str, Any] | None = Field(description="How undark made it, where it did.")


class ResultInfo(BaseModel):
    """A result that can be fetched."""

    name: str
    bytes: int
    sha256: str
    type: str


class JobState(BaseModel):
    """How far a job is."""

    id: str
    upload: str
    name: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    fraction: float = Field(description="0 to 1.")
    position: int | None = Field(description="Jobs to be begun before it.")
    seconds_left: float | None
    fps: float | None = Field(description="Frames a second of a video.")
    notices: list[str]
    error: Problem | None
    result: ResultInfo | None


class ModelInfo(BaseModel):
    """A model."""

    name: str
    title: str
    summary: str
    mode: str
    controls: list[str] = Field(description="What may be asked of its photos.")
    parameters: int
    bytes: int
    sha256: str
    licence: str
    steady: bool = Field(description="Whether it does video in real time.")


class Models(BaseModel):
    """All models."""

    default: str
    default_video: str
    models: list[ModelInfo]


class ControlInfo(BaseModel):
    """What may be asked of a result."""

    neutral: float
    low: float
    high: float
    unit: str
    meaning: str


class FormatInfo(BaseModel):
    """A format of photos."""

    name: str
    suffix: str
    mime: str
    quality: bool = Field(description="Whether a quality can be chosen.")
    reads: bool
    writes: bool


class LimitInfo(BaseModel):
    """How much the server takes."""

    body_bytes: int
    pixels: int
    preview_pixels: int
    seconds: float
    video_seconds: float
    keep_seconds: float


class About(BaseModel):
    """What the server is and takes."""

    version: str
    limits: LimitInfo
    controls: dict[str, ControlInfo]
    formats: list[FormatInfo]
    photo_suffixes: list[str]
    video_suffixes: list[str]
    video_available: bool


class Token(BaseModel):
    """The server's token."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    token: str = Field(max_length=1000)
