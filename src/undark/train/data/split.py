"""Splitting pairs by scene: pictures of one scene never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from undark.io.pairs import TrainingPair

__all__ = ["split_by_scene"]


def split_by_scene(
    pairs: Sequence[TrainingPair], *, held_out: float, run: int
) -> tuple[list[TrainingPair], list[TrainingPair]]:
    """Training and validation pairs.

    Scenes are taken in the order in which they come, in whole runs of `run` neighbours (which
    often show one room from another side), evenly spread over the set.

    Args:
        pairs: In their natural order.
        held_out: Share of the scenes to hold out, in [0, 1); at least one run where it is
            above 0 and there are two scenes or more.
        run: Neighbouring scenes that stay together; made smaller for small sets.
    """
    scenes = list(dict.fromkeys(pair.scene for pair in pairs))
    if held_out <= 0 or len(scenes) == 1:
        return list(pairs), []
    wanted = min(max(round(held_out * len(scenes)), 1), len(scenes) - 1)
    run = min(run, wanted)
    count = max(1, wanted // run)
    stride = len(scenes) / count
    held: set[str] = set()
    for index in range(count):
        start = int(stride * index + (stride - run) / 2)
        held.update(scenes[start : start + run])
    return (
        [pair for pair in pairs if pair.scene not in held],
        [pair for pair in pairs if pair.scene in held],
    )
