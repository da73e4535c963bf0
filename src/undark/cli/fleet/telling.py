"""How far a plan is, for a person or a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undark.cli.shell import result, result_json

if TYPE_CHECKING:
    from undark.fleet.metrics import Means
    from undark.fleet.status import Status

__all__ = ["tell_means", "tell_status"]


def tell_status(found: Status, price: float | None, *, as_json: bool) -> None:
    """The status on stdout: a few lines, or a JSON object in one."""
    if as_json:
        result_json(found.as_dict(price))
        return
    copied = f" ({found.copied} of the same bytes as another)" if found.copied else ""
    result(
        f"{found.keys} planned: {found.done} done{copied}, {found.failed} failed,"
        f" {found.pending} to do"
    )
    for kind, count in found.kinds.most_common():
        result(f"  {count} {kind}")
    if found.rate:
        rest = f", {_spelled(found.left)} left" if found.pending and found.left else ""
        result(f"{found.rate:.1f} a second{rest}")
    cost = None if price is None else found.cost(price)
    if cost is not None:
        result(f"{cost:.4g} for a thousand")


def _spelled(seconds: float) -> str:
    """A time for a person."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def tell_means(found: Means, *, as_json: bool) -> None:
    """The means of metrics on stdout."""
    if as_json:
        result_json(found.as_dict())
        return
    for line in found.lines():
        result(line)
