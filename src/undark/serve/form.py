"""The file that a form brings, as it comes: nothing of it is written anywhere on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from undark.serve.problems import ProblemError

__all__ = ["FormFile"]

_FIELD: Final = b"file"


class FormFile:
    """The part named `file` of a form (RFC 7578).

    Args:
        content_type: Of the request; names the boundary of the parts.
        body: Of the request.

    Raises:
        ProblemError: The form has no boundary.
    """

    def __init__(self, content_type: str, body: AsyncIterable[bytes]) -> None:
        """Nothing is read yet."""
        _, options = parse_options_header(content_type)
        try:
            self._parser: MultipartParser = MultipartParser(
                options.get(b"boundary", b""),
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_named,
                    "on_header_value": self._header_valued,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._ended,
                },
            )
        except FormParserError as error:
            raise _broken() from error
        if not options.get(b"boundary"):
            raise _broken()
        self._body = aiter(body)
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._files = 0
        self._is_file = False
        self._is_whole = False
        self._pieces: deque[bytes] = deque()
        self.name: str = ""

    async def begin(self) -> None:
        """Read up to the file, whose name is then known.

        Raises:
            ProblemError: It is no sound form, or holds no file named `file`.
        """
        while not self._files:
            if not await self._read():
                if not self._is_whole:
                    raise _broken()
                raise ProblemError(422, "the form holds no file named `file`", name="usage")

    async def read(self) -> AsyncIterator[bytes]:
        """The file's bytes.

        Raises:
            ProblemError: It is no sound form, or holds a second file.
        """
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if not await self._read():
                break
        if not self._is_whole:
            raise _broken()

    async def _read(self) -> bool:
        """Take what comes next; False at the end."""
        piece = await anext(self._body, None)
        if piece is None:
            return False
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _broken() from error
        if self._files > 1:
            raise ProblemError(422, "the form holds more than one file", name="usage")
        return True

    def _part_begins(self) -> None:
        self._is_file = False
        self._disposition = b""

    def _header_named(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_valued(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") == _FIELD:
            self._is_file = True
            self._files += 1
            self.name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])

    def _ended(self) -> None:
        self._is_whole = True


def _broken() -> ProblemError:
    return ProblemError(400, "the form is damaged or cut short", name="usage")
