"""A teacher of retouching, who is told the truth: what each step would gain.

An agent that only tries for itself hardly finds what is rarely of use. So it may be shown, where it
has itself come to, what each step would gain (DAgger; Ross, Gordon and Bagnell, "A Reduction of
Imitation Learning and Structured Prediction to No-Regret Online Learning", AISTATS 2011). All the
gains say more than the best step alone: a step in a place, which is seldom the very best one, is
often nearly as good (after Ross and Bagnell, "Reinforcement and Imitation Learning via Interactive
No-Regret Learning", 2014, who learn from what each action costs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.look import ACTIONS, LIMIT, STOP, Look
from undark.train.losses.reward import Truth
from undark.train.nets.policy import SEEN

__all__ = ["Lesson", "Notes", "gains", "imitation", "lessons"]

_KEPT = 16384
"""Lessons that are kept: about a thousand photos'."""

_NEAR = 0.01
"""What steps may gain less than the best one and still be shown beside it: a tenth of a dB."""

_DEAR = 0.01
"""What a step may gain less than the best one for a loss of 1; for four times as much it is 2."""


class Lesson(NamedTuple):
    """What was seen, and what each step gains there.

    Attributes:
        glance: 3×h×w, as :meth:`undark.pixels.look.Look.observe` gives it.
        state: `STATE` numbers, likewise.
        gains: One for each action, as :func:`gains` says.
    """

    glance: NDArray[np.float32]
    state: NDArray[np.float32]
    gains: NDArray[np.float32]


def gains(look: Look, truth: Truth, cost: float) -> NDArray[np.float32]:
    """What each of `ACTIONS` gains towards `truth`, less its cost, and last 0 for `STOP`.

    Args:
        look: What is seen now.
        truth: What it should look like.
        cost: Of a step.

    Returns:
        `STOP` + 1 numbers, in tens of dB and SSIM as :meth:`Truth.score` has them.
    """
    score = truth.score(look)
    found = [truth.score(look.after(step)) - score - cost for step in ACTIONS]
    return np.array([*found, 0.0], np.float32)


def lessons(
    look: Look,
    truth: Truth,
    *,
    cost: float,
    choose: Callable[[NDArray[np.float32], NDArray[np.float32]], int],
    random: np.random.Generator,
) -> list[Lesson]:
    """What steps gain in each state of an edit, some of whose steps the pupil chooses.

    Args:
        look: At the photo before any step.
        truth: What it should look like.
        cost: Of a step.
        choose: What the pupil does where it sees such a glance and state.
        random: Whether the pupil or the teacher has the next step: either as often. The teacher
            takes the one that gains most.
    """
    found: list[Lesson] = []
    while len(look.steps) < LIMIT:
        glance, state = look.observe()
        gained = gains(look, truth, cost)
        found.append(Lesson(glance, state, gained))
        best = int(gained.argmax())
        action = choose(glance, state) if random.random() < 0.5 else best
        if action == STOP:
            action = best  # a pupil that stops too early is shown how to go on
        if action == STOP:
            break
        look = look.after(ACTIONS[action])
    return found


class Notes(nn.Module):
    """The lessons so far, to be learned again and again; the oldest are forgotten.

    They are part of the state, so that a resumed run goes on as it would have.

    Args:
        size: Lessons kept.
    """

    def __init__(self, size: int = _KEPT) -> None:
        """None so far."""
        super().__init__()
        self.size = size
        self.held: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """How many are held."""
        return len(self.held[0]) if self.held else 0

    def add(self, found: list[Lesson]) -> None:
        """Keep `found`, the glances as small as a policy looks at them; of none nothing changes."""
        if not found:
            return
        glances, states, gained = (
            torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True)
        )
        small = F.avg_pool2d(glances, glances.shape[-1] // SEEN).half()
        new = (small, states, gained)
        if self.held:
            new = tuple(torch.cat(parts) for parts in zip(self.held, new, strict=True))
        self.held = tuple(part[-self.size :] for part in new)

    def draw(self, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """`count` lessons at random, some perhaps twice, of at least one that is held.

        Returns:
            Glances, N×3×`SEEN`×`SEEN` in [0, 1]; states, N×`STATE`; gains, N×actions. All float32.
        """
        chosen = torch.from_numpy(random.integers(len(self), size=count))
        glances, states, gained = (part[chosen] for part in self.held)
        return glances.float(), states, gained

    def get_extra_state(self) -> tuple[Tensor, ...]:
        """What is held; its number grows, so it is no buffer of fixed size."""
        return self.held

    def set_extra_state(self, state: tuple[Tensor, ...]) -> None:
        """Hold `state`."""
        self.held = tuple(part.cpu() for part in state)


def imitation(logits: Tensor, gained: Tensor) -> Tensor:
    """How far a policy is from what a teacher showed: a mean over states.

    The cross-entropy to chances that fall by e for each tenth of a dB that a step gains less than
    the best one, and the root of what the policy is to lose against that. The first makes all good
    steps known, the second keeps from those that do harm in other photos of the same look.

    Args:
        logits: N×actions of the policy.
        gained: N×actions, as :func:`gains` says.
    """
    lost = gained.amax(1, keepdim=True) - gained
    chances = logits.softmax(1)
    loss = (chances * (lost / _DEAR).sqrt()).sum(1).mean()
    return loss + F.cross_entropy(logits, (-lost / _NEAR).softmax(1))
