"""Videos from the network: certificates are checked, and what cannot be sought in is fetched."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from undark.errors import InputError, UnreadableError
from undark.io.video.held import Held
from undark.io.video.libav import open_video

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["PATIENCE", "open_url"]

PATIENCE: Final = 10.0
"""Seconds without anything after which a stream is given up."""

_HEAD: Final = 1 << 16


def open_url(url: str) -> InputContainer:
    """Begin to read the video at a URL.

    A server's certificate is checked against those of the system, or of the file that the
    environment's SSL_CERT_FILE names.

    Raises:
        InputError: It cannot be read.
    """
    options = {"rtsp_transport": "tcp", "rw_timeout": str(int(PATIENCE * 1e6))}
    scheme = urlsplit(url).scheme.lower()
    if scheme in ("https", "rtsps"):
        options["tls_verify"] = "1"
        found: str | None = ssl.get_default_verify_paths().cafile
        if found:
            options["ca_file"] = found
    try:
        container = open_video(url, options=options, timeout=PATIENCE)
    except InputError:
        if scheme == "https" and not _is_trusted(url):
            raise UnreadableError(
                f"{url}: its certificate is not trusted here; if it is the right one, name its"
                " file in the environment's SSL_CERT_FILE"
            ) from None
        raise
    if scheme not in ("http", "https") or "mp4" not in container.format.name:
        return container
    held = _held(url)
    if held is None:
        return container
    container.close()
    return open_video(url, file=held)


def _is_trusted(url: str) -> bool:
    """Whether the server's certificate is, or none came."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE):
            return True
    except urllib.error.URLError as error:
        return not isinstance(error.reason, ssl.SSLCertVerificationError)
    except (OSError, http.client.HTTPException):
        return True


def _held(url: str) -> Held | None:
    """All of an MP4 whose index is at its end, where the server sends it only whole."""
    request = urllib.request.Request(url, headers={"Range": "bytes=0-"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            if answer.status != http.client.OK:
                return None
            head: bytes = answer.read(_HEAD)
            return Held(answer, head) if _is_late(head) else None
    except (OSError, http.client.HTTPException):
        return None


def _is_late(head: bytes) -> bool:
    """Whether an MP4 that begins like this has its content before its index."""
    at = 0
    while at + 16 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind in (b"mdat", b"moov"):
            return kind == b"mdat"
        at += int.from_bytes(head[at + 8 : at + 16], "big") if size == 1 else max(size, 8)
    return False
