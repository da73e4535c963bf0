"""The networks of an agent: one that chooses a step, one that judges how much is to be gained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.look import ACTIONS, CHOICES
from undark.pixels.places import EVERYWHERE
from undark.pixels.steps import Step

__all__ = ["SEEN", "Critic", "Policy"]

_RARER = 1.0
"""By how much a new action's logit is below that of the one it is like."""

SEEN = 16
"""Side to which the glance is averaged: where it is bright and dark, not what is on it."""


class _Eyes(nn.Module):
    """Features of an observation: a small CNN on the glance beside the state."""

    def __init__(self, state: int, width: int) -> None:
        super().__init__()
        self.near: nn.Conv2d = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.far: nn.Conv2d = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.join: nn.Linear = nn.Linear(24 * (SEEN // 4) ** 2 + state, width)
        self.think: nn.Linear = nn.Linear(width, width)

    def forward(self, glance: Tensor, state: Tensor) -> Tensor:
        seen = F.avg_pool2d(glance, glance.shape[-1] // SEEN)
        seen = torch.relu(self.far(torch.relu(self.near(seen - 0.5))))
        joined = torch.cat([seen.flatten(1), state], dim=1)
        return torch.tanh(self.think(torch.tanh(self.join(joined))))


def _settle(layer: nn.Linear, gain: float) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _most_like(step: Step) -> int:
    """The number of the action everywhere whose operation is that of `step`, nearest in amount."""
    alike = [
        number
        for number, other in enumerate(ACTIONS)
        if (other.operation, other.where) == (step.operation, EVERYWHERE)
    ]
    return min(alike, key=lambda number: abs(ACTIONS[number].amount - step.amount))


class Policy(nn.Module):
    """Which step to take next.

    Args:
        state: Numbers beside the glance.
        actions: Actions to choose from.
        width: Units of the two hidden layers.
    """

    def __init__(self, state: int, actions: int, width: int) -> None:
        """Begin with all actions nearly alike."""
        super().__init__()
        self.eyes: _Eyes = _Eyes(state, width)
        self.choose: nn.Linear = _settle(nn.Linear(width, actions), 0.01)

    def grown(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """`state` of a policy from before there were places, made to fit one that knows them.

        A step in a place begins as likely as the step most like it everywhere, but for a factor,
        so that it is tried where that one is: what begins as rare is never found to be of use.
        """
        weight, bias = state.get("choose.weight"), state.get("choose.bias")
        known = CHOICES[-1]
        if weight is None or bias is None or len(bias) != known:
            return state
        if self.choose.out_features != CHOICES[0] or weight.shape[1] != self.choose.in_features:
            return state
        like = [_most_like(step) for step in ACTIONS[known - 1 :]]
        rows = torch.cat((weight[:-1], weight[like], weight[-1:]))
        biases = torch.cat((bias[:-1], bias[like] - _RARER, bias[-1:]))
        return {**state, "choose.weight": rows, "choose.bias": biases}

    def forward(self, glance: Tensor, state: Tensor) -> Tensor:
        """A logit for each action, N×actions.

        Args:
            glance: N×3×h×h in [0, 1], h a multiple of 16.
            state: N×state.
        """
        return self.choose(self.eyes(glance, state))


class Critic(nn.Module):
    """What the policy will still gain; in training it may be given a hint about the truth.

    Args:
        state: Numbers beside the glance.
        hint: Numbers of the hint; 0 for none.
        width: Units of the two hidden layers.
    """

    def __init__(self, state: int, hint: int, width: int) -> None:
        """Begin with no opinion."""
        super().__init__()
        self.eyes: _Eyes = _Eyes(state + hint, width)
        self.judge: nn.Linear = _settle(nn.Linear(width, 1), 1.0)

    def forward(self, glance: Tensor, state: Tensor, hint: Tensor) -> Tensor:
        """The sum of rewards to come, N×1."""
        return self.judge(self.eyes(glance, torch.cat([state, hint], dim=1)))
