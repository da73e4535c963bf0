"""A teacher of retouching, who is told the truth: it always takes the step that gains most.

An agent that only tries for itself hardly finds what is rarely of use. So it may be shown what a
teacher would do where the agent itself has come to (DAgger; Ross, Gordon and Bagnell, "A Reduction
of Imitation Learning and Structured Prediction to No-Regret Online Learning", AISTATS 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from undark.pixels.look import ACTIONS, LIMIT, STOP, Look
from undark.train.losses.reward import Truth

__all__ = ["Lesson", "best_action", "lessons"]


class Lesson(NamedTuple):
    """What was seen, as :meth:`undark.pixels.look.Look.observe` gives it, and what to do then."""

    glance: NDArray[np.float32]
    state: NDArray[np.float32]
    action: int


def best_action(look: Look, truth: Truth, cost: float) -> int:
    """The number of the action that brings `look` nearest to `truth`.

    Args:
        look: What is seen now.
        truth: What it should look like.
        cost: Of a step; where none gains more, the best is `STOP`.
    """
    scores = [truth.score(look.after(step)) for step in ACTIONS]
    best = int(np.argmax(scores))
    return best if scores[best] - truth.score(look) > cost else STOP


def lessons(
    look: Look,
    truth: Truth,
    *,
    cost: float,
    choose: Callable[[NDArray[np.float32], NDArray[np.float32]], int],
    random: np.random.Generator,
) -> list[Lesson]:
    """What is best in each state of an edit, some of whose steps the pupil chooses.

    Args:
        look: At the photo before any step.
        truth: What it should look like.
        cost: Of a step.
        choose: What the pupil does where it sees such a glance and state.
        random: Whether the pupil or the teacher has the next step: either as often.
    """
    found: list[Lesson] = []
    while len(look.steps) < LIMIT:
        glance, state = look.observe()
        best = best_action(look, truth, cost)
        found.append(Lesson(glance, state, best))
        action = choose(glance, state) if random.random() < 0.5 else best
        if action == STOP:
            action = best  # a pupil that stops too early is shown how to go on
        if action == STOP:
            break
        look = look.after(ACTIONS[action])
    return found
