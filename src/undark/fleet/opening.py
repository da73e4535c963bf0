"""From an address to its Store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from undark.fleet.bucket import Bucket
from undark.fleet.folder import Folder
from undark.fleet.retries import Patience
from undark.fleet.stores import Store, is_remote

__all__ = ["local_path", "open_store"]


def open_store(address: str, patience: Patience | None = None) -> Store:
    """The store of that address: a folder, ``s3://``, ``gs://``, ``az://`` or ``https://``.

    Args:
        address: As the user writes it.
        patience: With one that is elsewhere.

    Raises:
        UsageError: Nothing here knows such an address.
        MissingExtraError: A package is not installed.
    """
    if is_remote(address):
        return Bucket(address, patience)
    return Folder(local_path(address))


def local_path(address: str) -> Path:
    """The absolute path of an address on this machine."""
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path)).absolute()
    return Path(address).absolute()
