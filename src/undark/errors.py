"""Every error that undark raises on purpose.

::

    UndarkError
    ├── UsageError            an option or argument makes no sense (also a ValueError)
    ├── InputError            this input cannot be used; others may be fine
    │   ├── UnreadableError   missing, vanished, a folder, or not permitted
    │   ├── DamagedError      truncated, empty, a decompression bomb, or not what its name says
    │   └── UnsupportedError  sound, but of a kind that undark does not take
    ├── OutputError           the result could not be written: folder, rights, full disk, format
    ├── ModelError            no such model, a card that does not fit, weights that were altered
    ├── DeviceError           the runtime or device asked for is not there, or failed
    ├── MissingExtraError     an optional package is needed; the message says how to get it
    └── TrainError            learning cannot start or go on
        ├── RecipeError       an unknown key or a value out of range
        ├── DataError         pairs missing, unreadable or of unequal size
        └── DivergedError     the loss became NaN or infinite; the last good checkpoint is kept

Each message is one line for the user: which file, what is wrong, what to do.
"""

__all__ = [
    "DamagedError",
    "DataError",
    "DeviceError",
    "DivergedError",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "RecipeError",
    "TrainError",
    "UndarkError",
    "UnreadableError",
    "UnsupportedError",
    "UsageError",
]


class UndarkError(Exception):
    """Base of every error that undark raises on purpose.

    Args:
        message: One line for the user.
        argument: Name of the argument that it is about, so that an interface which calls it
            something else can say how; empty where there is none.
    """

    def __init__(self, message: str = "", *, argument: str = "") -> None:
        """Keep the message, and what it is about."""
        super().__init__(message)
        self.argument = argument


class UsageError(UndarkError, ValueError):
    """An option or argument makes no sense; nothing was done."""


class InputError(UndarkError):
    """One input cannot be used; the others of a job may be fine."""


class UnreadableError(InputError):
    """The input is missing, vanished meanwhile, is a folder, or may not be read."""


class DamagedError(InputError):
    """The input is truncated, empty, a decompression bomb, or not what its name says."""


class UnsupportedError(InputError):
    """The input is sound, but of a kind that undark does not take."""


class OutputError(UndarkError):
    """The result could not be written; nothing half-written bears its name."""


class ModelError(UndarkError):
    """No such model, a card that does not fit its graph, or weights that were altered."""


class DeviceError(UndarkError):
    """The runtime or device asked for is not there, or failed while running."""


class MissingExtraError(UndarkError):
    """An optional package is missing.

    Args:
        what: The capability asked for, as the user would name it ("camera RAW files").
        extra: The extra that brings it ("raw").
    """

    def __init__(self, what: str, extra: str) -> None:
        """Word the message for the capability `what` and the extra that brings it."""
        super().__init__(f"{what} need an optional package: pip install 'undark[{extra}]'")
        self.extra = extra


class TrainError(UndarkError):
    """Learning cannot start or go on."""


class RecipeError(TrainError):
    """A recipe names an unknown key or a value out of range."""


class DataError(TrainError):
    """Training or evaluation pairs are missing, unreadable or of unequal size."""


class DivergedError(TrainError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""
