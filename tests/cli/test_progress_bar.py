"""The bar in a console, however narrow: seen through a pseudo-terminal."""

from __future__ import annotations

import errno
import io
import os
import re
import struct
import subprocess
import sys

import pytest

from undark.cli.shell import say

BAR = """
from undark.cli.progress import progress_bar

text = "36.6 steps/s  0:01:19 left  loss 0.2188  exposure 0.1484  pixel 0.0371  last one 21.30 dB"
with progress_bar(timed=False, below={below}) as show:
    show(120, 3000, text)
    show(121, 3000, text)
"""


def seen(width: int, *, below: bool) -> str:
    """What a console of that width shows, without the codes that steer it."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    import fcntl
    import termios

    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-c", BAR.format(below=below)],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**environment, "TERM": "xterm"},
    ) as process:
        os.close(other)
        text = b""
        while True:
            try:
                part = os.read(own, 65536)
            except OSError:  # closed at the other end
                break
            if not part:
                break
            text += part
        assert process.wait() == 0
    os.close(own)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_long_text_leaves_the_bar_its_room(width: int) -> None:
    shown = seen(width, below=True)
    assert "━" * 20 in shown
    assert re.search(r"12[01]/3000", shown)
    words = " ".join(shown.split())
    for part in ("36.6 steps/s", "0:01:19 left", "loss 0.2188", "last one 21.30 dB"):
        assert part in words


def test_a_short_text_stands_beside_the_bar() -> None:
    shown = seen(200, below=False)
    assert re.search(r"━ +12[01]/3000 +36\.6 steps", shown)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_terminal_that_was_closed_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "stderr", Gone())
    if number == errno.EIO:
        say("step 1")
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            say("step 1")
