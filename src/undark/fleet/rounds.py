"""Rounds: failed keys are tried again in a round of their own, so that no receipt is replaced."""

from __future__ import annotations

import secrets

from undark.errors import UsageError
from undark.fleet.plan import Plan
from undark.fleet.receipts import standing

__all__ = ["ask_again", "rounds_of"]


def rounds_of(plan: Plan) -> int:
    """How often failed keys were asked to be tried again."""
    number = 0
    while plan.store.exists(_name(number + 1)):
        number += 1
    return number


def ask_again(plan: Plan) -> int:
    """Have all failed keys tried again by the next run.

    Returns:
        How many there are; where there are none, nothing is changed.

    Raises:
        UsageError: Keys are still to be done for the first time.
    """
    rounds = rounds_of(plan)
    failed = 0
    for shard in range(plan.shards):
        state = standing(plan, shard, rounds)
        if state.pending:
            raise UsageError(
                f"{plan.store.address}: is not done yet; go on with undark fleet run, and then"
                " retry what failed"
            )
        failed += sum(not item.done for item in state.receipts.values())
    if failed:
        plan.store.put(_name(rounds + 1), secrets.token_hex(8).encode())
    return failed


def _name(number: int) -> str:
    return f"rounds/{number:04d}"
