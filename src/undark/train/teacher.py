"""A teacher of steps in places, who is told the truth: what each of them would gain.

An agent that only tries for itself hardly finds what is rarely of use: a step in one place of a
photo, after all that is done to the whole. So it may be shown, where its own edits end, what every
such step gains there (DAgger; Ross, Gordon and Bagnell, "A Reduction of Imitation Learning and
Structured Prediction to No-Regret Online Learning", AISTATS 2011; that all are shown, and what each
is worth, as in Ross and Bagnell, "Reinforcement and Imitation Learning via Interactive No-Regret
Learning", 2014). From these it foretells the mean gain by ridge regression (Hoerl and Kennard,
1970): a network that learned them knew them by heart, and foretold nothing in unseen photos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from undark.pixels.look import ACTIONS, IN_PLACES, LIMIT, Look, follow
from undark.train.losses.reward import Truth
from undark.train.nets.policy import features

__all__ = ["Lesson", "Notes", "gains", "lesson"]

_MOST = 0.1
"""More is not told, gain or loss, so that no single photo says all."""

_WORTH = 0.015
"""What a step must be foretold to gain, to be taken: as much as lies within the error."""

_KEPT = 0.99
"""What an older lesson counts, in each round: the pupil has come to other ends since."""

_PRIOR = 300.0
"""So many lessons say that nothing of what is seen matters."""

_STILL = 1e-3
"""Added to the deviation of what is seen, so that what hardly ever varies counts for little."""


class Lesson(NamedTuple):
    """What was seen, and what each step in a place gains there.

    Attributes:
        glance: 3×h×w, as :meth:`undark.pixels.look.Look.observe` gives it.
        state: `STATE` numbers, likewise.
        gains: One for each action of `IN_PLACES`, as :func:`gains` says.
    """

    glance: NDArray[np.float32]
    state: NDArray[np.float32]
    gains: NDArray[np.float32]


def gains(look: Look, truth: Truth, cost: float) -> NDArray[np.float32]:
    """What each step in a place gains towards `truth`, less its cost.

    Args:
        look: What is seen now.
        truth: What it should look like.
        cost: Of a step.

    Returns:
        A number for each of `IN_PLACES`, in tens of dB and SSIM as :meth:`Truth.score` has them.
    """
    score = truth.score(look)
    found = [truth.score(look.after(ACTIONS[number])) - score - cost for number in IN_PLACES]
    return np.array(found, np.float32)


def lesson(
    look: Look,
    truth: Truth,
    *,
    cost: float,
    choose: Callable[[NDArray[np.float32], NDArray[np.float32]], int],
) -> Lesson | None:
    """What steps in places gain where an edit of the pupil ends, but for a step in a place.

    Args:
        look: At the photo before any step.
        truth: What it should look like.
        cost: Of a step.
        choose: What the pupil does where it sees such a glance and state.

    Returns:
        None if the pupil takes as many steps as it may.
    """
    while len(look.steps) < LIMIT:
        seen = look.observe()
        action = choose(*seen)
        following = None if action in IN_PLACES else follow(look, action)
        if following is None:
            return Lesson(*seen, gains(look, truth, cost))
        look = following
    return None


class Notes(nn.Module):
    """What was shown so far, kept as the sums from which mean gains are foretold.

    They are part of the state, so that a resumed run goes on as it would have.

    Args:
        seen: How many :func:`undark.train.nets.policy.features` there are.
        places: Steps in places.
    """

    def __init__(self, seen: int, places: int) -> None:
        """None so far."""
        super().__init__()
        self.inputs: Tensor = torch.zeros(seen + 1, seen + 1, dtype=torch.float64)
        self.outputs: Tensor = torch.zeros(seen + 1, places, dtype=torch.float64)

    def add(self, found: list[Lesson]) -> float:
        """Count one more round's lessons, and all before for less; of none nothing changes.

        Returns:
            How far off, in dB, is what was foretold of these before: the root of the mean square.
        """
        if not found:
            return 0.0
        glances, states, gained = (
            torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)
        )
        seen = features(glances, states).double()
        told = gained.double().clamp(-_MOST, _MOST) - _WORTH
        weights, biases = self.learned() or (torch.zeros(told.shape[1], seen.shape[1]), 0.0)
        error = told - seen @ weights.double().T - biases
        seen = torch.cat([seen, torch.ones(len(seen), 1, dtype=torch.float64)], dim=1)
        self.inputs = _KEPT * self.inputs + seen.T @ seen
        self.outputs = _KEPT * self.outputs + seen.T @ told
        return 10.0 * float(error.square().mean().sqrt())

    def learned(self) -> tuple[Tensor, Tensor] | None:
        """What they come to: by how much steps gain more than what makes them worth taking.

        Returns:
            Weights, places×seen, and biases of a linear layer, float64; None before any lesson.
        """
        count = self.inputs[-1, -1]
        if count == 0:
            return None
        mean, gained = self.inputs[-1, :-1] / count, self.outputs[-1] / count
        spread = self.inputs[:-1, :-1] - count * torch.outer(mean, mean)
        deviation = (spread.diagonal() / count).clamp(min=0.0).sqrt() + _STILL
        scaled = spread / torch.outer(deviation, deviation)
        scaled += _PRIOR * torch.eye(len(mean), dtype=torch.float64)
        slopes = (self.outputs[:-1] - count * torch.outer(mean, gained)) / deviation[:, None]
        weights = (torch.linalg.solve(scaled, slopes) / deviation[:, None]).T
        return weights, gained - weights @ mean

    def get_extra_state(self) -> tuple[Tensor, Tensor]:
        """The sums."""
        return self.inputs, self.outputs

    def set_extra_state(self, state: tuple[Tensor, Tensor]) -> None:
        """Go on from `state`."""
        self.inputs, self.outputs = (part.cpu() for part in state)
