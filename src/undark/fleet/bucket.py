"""A bucket of an object store, or files on a web server, as a Store: by fsspec."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from undark.errors import OutputError, UnreadableError, UsageError
from undark.fleet.extra import package
from undark.fleet.retries import Patience
from undark.fleet.stores import Entry, Store, text_without_secrets, without_secrets

__all__ = ["SCHEMES", "Bucket"]

T = TypeVar("T")

SCHEMES: Final[Mapping[str, str]] = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
"""Schemes of addresses, and the package that each needs."""

_PAGE: Final = 1000


class Bucket(Store):
    """A part of a bucket: ``s3://``, ``gs://`` or ``az://``; or of a web server, read only.

    Put-if-absent is the store's own: ``If-None-Match: *`` (S3), ``ifGenerationMatch=0`` (Google),
    ``overwrite=False`` (Azure).

    Args:
        address: Bucket and prefix.
        patience: With throttling and broken connections.

    Raises:
        UsageError: A scheme that nothing here knows.
        MissingExtraError: A package is not installed.
    """

    def __init__(self, address: str, patience: Patience | None = None) -> None:
        """Nothing is asked of the store yet."""
        scheme = address.partition("://")[0]
        if scheme not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise UsageError(f"{without_secrets(address)}: is none of {known} and no folder")
        package(SCHEMES[scheme])
        self.address: str = without_secrets(address).rstrip("/")
        self._scheme = scheme
        self._root = address.rstrip("/")
        self._patience = patience or Patience()
        # Else gcsfs asks, by gRPC, of what kind each bucket is, and warns where it may not know.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        try:
            self._fs: Any = package("fsspec").filesystem(scheme, **options)
        except (ValueError, OSError) as error:  # what the environment says of it makes no sense
            told = text_without_secrets(str(error)) or type(error).__name__
            raise OutputError(f"{self.address}: the store cannot be opened: {told}") from error
        if scheme == "s3":
            self._fs.retries = 1  # with waits of our own, which are drawn by chance
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes:
        """The bytes of that name."""
        # What is got whole is small; in parts, s3fs asks for the size first.
        whole = {"max_concurrency": 1} if self._scheme == "s3" else {}
        return self._try(name, lambda: self._fs.cat_file(self._full(name), **whole))

    def fetch(self, name: str, path: Path) -> None:
        """Write the bytes of that name into a file."""
        self._try(name, lambda: self._fs.get_file(self._full(name), str(path)))

    def put(self, name: str, data: bytes) -> bool:
        """Put-if-absent; one whose answer was lost on the way is known again by its bytes."""
        won = self._absent(name, lambda: self._fs.pipe_file(self._full(name), data, mode="create"))
        return won or self.find(name) == data

    def write(self, name: str, data: bytes) -> None:
        """Put, whatever stands there."""
        self._put(name, lambda: self._fs.pipe_file(self._full(name), data))

    def publish(self, path: Path, name: str) -> bool:
        """Put-if-absent of a file."""
        return self._absent(
            name, lambda: self._fs.put_file(str(path), self._full(name), mode="create")
        )

    def replace(self, path: Path, name: str) -> None:
        """Put a file, whatever stands there."""
        self._put(name, lambda: self._fs.put_file(str(path), self._full(name)))

    def stat(self, name: str) -> Entry | None:
        """What is there."""
        try:
            found = self._try(name, lambda: self._fs.info(self._full(name)))
        except FileNotFoundError:
            return None
        return None if found.get("type") == "directory" else _entry(name, found)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Everything below, streamed a page at a time."""
        top = f"{self._root}/{prefix}".rstrip("/")
        base = self._fs._strip_protocol(self._root).rstrip("/") + "/"
        pages = {"s3": self._pages_of_s3, "gs": self._pages_of_google}.get(
            self._scheme, self._pages_of_folders
        )
        try:
            for path, found in pages(top):
                if not path.endswith("/"):
                    yield _entry(path.removeprefix(base), found)
        except FileNotFoundError as error:
            # Where folders are listed, one without files is none.
            bucket = base.partition("/")[0]
            if not self._try("", lambda: self._fs.exists(bucket)):
                raise UnreadableError(f"{self.address}: there is no such bucket") from error

    def delete(self, name: str) -> None:
        """Take away what is there."""
        with suppress(FileNotFoundError):
            self._try(name, lambda: self._fs.rm_file(self._full(name)))

    def _full(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _try(self, name: str, work: Callable[[], T]) -> T:
        """What the store gives.

        Raises:
            FileNotFoundError: There is nothing of that name.
            FileExistsError: There is something of that name.
            OutputError: The store does not do it, however often it is asked.
        """
        try:
            return self._patience(work)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            # A library's error may hold an address with its signature.
            shown = text_without_secrets(str(error)) or type(error).__name__
            place = without_secrets(f"{self.address}/{name}") if name else self.address
            raise OutputError(f"{place}: {shown}") from error

    def _absent(self, name: str, work: Callable[[], object]) -> bool:
        def once() -> bool:
            try:
                work()
            except FileExistsError:
                return False
            except OSError as error:
                # Some stores do not say which condition was not met.
                text = str(error).lower()
                unmet = (
                    error.errno == errno.EINVAL
                    or "precondition" in text
                    or "pre-condition" in text
                    # As Google's ends an upload that failed, it is the end that fails.
                    or isinstance(error, FileNotFoundError)
                )
                if unmet and self._fs.exists(self._full(name)):
                    return False
                raise
            return True

        return self._put(name, once)

    def _put(self, name: str, work: Callable[[], T]) -> T:
        try:
            return self._try(name, work)
        except FileNotFoundError as error:
            raise OutputError(f"{self.address}: there is no such bucket; make it first") from error

    def _pages_of_s3(self, top: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        bucket, _, prefix = self._fs._strip_protocol(top).partition("/")
        more: dict[str, str] = {}
        while True:
            asked = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else "", **more}
            found = self._try("", lambda: self._fs.call_s3("list_objects_v2", **asked))  # noqa: B023
            for item in found.get("Contents", ()):
                yield f"{bucket}/{item['Key']}", item
            if not found.get("IsTruncated"):
                return
            more = {"ContinuationToken": found["NextContinuationToken"]}

    def _pages_of_google(self, top: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        bucket, _, prefix = self._fs._strip_protocol(top).partition("/")
        more: dict[str, str] = {}
        while True:
            asked = {"prefix": f"{prefix}/" if prefix else "", "maxResults": _PAGE, **more}
            found = self._try(
                "",
                lambda: self._fs.call("GET", "b/{}/o", bucket, json_out=True, **asked),  # noqa: B023
            )
            for item in found.get("items", ()):
                yield f"{bucket}/{item['name']}", item
            if "nextPageToken" not in found:
                return
            more = {"pageToken": found["nextPageToken"]}

    def _pages_of_folders(self, top: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        waiting = [self._fs._strip_protocol(top)]
        while waiting:
            here = waiting.pop()
            found: list[dict[str, Any]] = self._try("", lambda: self._fs.ls(here, detail=True))  # noqa: B023
            for item in found:
                if item["type"] == "directory":
                    waiting.append(item["name"])
                else:
                    yield item["name"], item


def _entry(name: str, found: Mapping[str, Any]) -> Entry:
    size = found.get("size", found.get("Size"))
    version = next((found[key] for key in ("ETag", "etag", "mtime") if found.get(key)), "")
    return Entry(name, None if size is None else int(size), str(version).strip('"'))
