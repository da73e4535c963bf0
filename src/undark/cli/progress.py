"""A progress bar on stderr where that is a console, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(
    *, timed: bool = True, below: bool = False
) -> Generator[Callable[[float, int, str], None], None, None]:
    """A bar, as a function of the items done (with fractions), their number, and a text.

    Args:
        timed: Show the time left; not where the text says it.
        below: The text stands below the bar, in as many lines as it needs, not beside it: for one
            that is long, which would leave no room for the bar.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total, _text: None
        return
    from rich.console import Console, RenderableType
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Bar(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            if below:
                yield from (Text.from_markup(task.description) for task in self.tasks)

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        *([TimeRemainingColumn()] if timed else []),
        *([] if below else [TextColumn("{task.description}")]),
    )
    # Results pass through the bar's console only where they would land on the same one.
    with Bar(
        *columns,
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, text: bar.update(
            task, completed=done, total=total, description=escape(text)
        )
