"""Stores: a folder, or a bucket of an object store, with put-if-absent.

Names are relative, with slashes. What is written appears whole under its name or not at all.
Credentials are found by the stores' own libraries and are never read, kept or shown here.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Entry", "Store", "is_remote", "text_without_secrets", "without_secrets"]

_WEB: Final = ("http", "https")
_ADDRESS: Final = re.compile(r"""https?://[^\s'"<>)]+""")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store's listing says of a name; `version` is an ETag or a time, empty if unknown."""

    name: str
    size: int | None
    version: str = ""


class Store(ABC):
    """A place of named bytes.

    Attributes:
        address: As the user wrote it, without secrets.
    """

    address: str

    @abstractmethod
    def get(self, name: str) -> bytes:
        """The bytes of that name.

        Raises:
            FileNotFoundError: There are none.
            OSError: They cannot be read.
        """

    @abstractmethod
    def fetch(self, name: str, path: Path) -> None:
        """Write the bytes of that name into the file `path`; errors as `get`."""

    @abstractmethod
    def put(self, name: str, data: bytes) -> bool:
        """Put-if-absent: of all who put something under a name, one wins.

        Returns:
            Whether `data` is what stands there now.
        """

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Put bytes under a name, whatever stands there."""

    @abstractmethod
    def publish(self, path: Path, name: str) -> bool:
        """Put-if-absent of a file that is whole; a local one may be moved away.

        Returns:
            Whether it was put there; False where something stands there already.
        """

    @abstractmethod
    def replace(self, path: Path, name: str) -> None:
        """Put a file under a name, whatever stands there; a local one may be moved away."""

    @abstractmethod
    def stat(self, name: str) -> Entry | None:
        """What is there under that name; None if nothing is."""

    @abstractmethod
    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Everything below a folder's name, streamed, in no order that matters."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Take away what is there under that name, if anything is."""

    def path(self, name: str) -> Path | None:
        """Where it lies on this machine's disk; None for a store elsewhere."""
        del name

    def exists(self, name: str) -> bool:
        """Whether there is something under that name."""
        return self.stat(name) is not None

    def find(self, name: str) -> bytes | None:
        """The bytes of that name; None if there are none."""
        try:
            return self.get(name)
        except FileNotFoundError:
            return None


def is_remote(address: str) -> bool:
    """Whether it names something that is not on this machine's disk."""
    scheme, mark, _ = address.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme != "file"


def without_secrets(address: str) -> str:
    """The address as it may be shown: without a user, a password or a signature."""
    scheme, mark, rest = address.partition("://")
    if scheme not in _WEB:
        # In a bucket, ? and # are letters of a key as others are.
        place, slash, key = rest.partition("/")
        user, at, host = place.rpartition("@")
        return f"{scheme}{mark}{host if ':' in user else user + at + host}{slash}{key}"
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=place, query="", fragment="").geturl()


def text_without_secrets(text: str) -> str:
    """A text as it may be shown, in one line: no address in it has a password or a signature."""
    return _ADDRESS.sub(lambda found: without_secrets(found[0]), " ".join(text.split()))
