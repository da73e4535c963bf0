"""The networks of an agent: one that chooses a step, one that judges how much is to be gained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undark.pixels.look import CHOICES

__all__ = ["Critic", "Policy", "features"]

_LEVEL = 0.002
"""Of the gain of a step in a place: that much less, and its logit is 1 less. So little that what
is foretold to do harm is hardly tried, though there are many such steps."""

_SHY = -0.02
"""What a new network expects a step in a place to gain: so little that none is tried."""

_COARSE = 4
"""Side to which the glance is averaged for what a step in a place gains."""

_SEEN = 16
"""Side to which the glance is averaged: where it is bright and dark, not what is on it."""


class _Eyes(nn.Module):
    """Features of an observation: a small CNN on the glance beside the state."""

    def __init__(self, state: int, width: int) -> None:
        super().__init__()
        self.near: nn.Conv2d = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.far: nn.Conv2d = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.join: nn.Linear = nn.Linear(24 * (_SEEN // 4) ** 2 + state, width)
        self.think: nn.Linear = nn.Linear(width, width)

    def forward(self, glance: Tensor, state: Tensor) -> Tensor:
        seen = F.avg_pool2d(glance, glance.shape[-1] // _SEEN)
        seen = torch.relu(self.far(torch.relu(self.near(seen - 0.5))))
        joined = torch.cat([seen.flatten(1), state], dim=1)
        return torch.tanh(self.think(torch.tanh(self.join(joined))))


def _settle(layer: nn.Linear, gain: float) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def features(glance: Tensor, state: Tensor) -> Tensor:
    """What the gains of steps in places are foretold from: the state, and what is bright and where.

    Args:
        glance: N×3×h×h in [0, 1], h a multiple of 16.
        state: N×state.

    Returns:
        N×(state + 96): the state, then the glance at 4×4 pixels as it is and in EV.
    """
    coarse = F.avg_pool2d(glance, glance.shape[-1] // _COARSE).flatten(1)
    return torch.cat([state, coarse, torch.log2(coarse + 1 / 64)], dim=1)


class Policy(nn.Module):
    """Which step to take next.

    What is done everywhere is chosen by a network, which learns by trying. What a step in a place
    would gain is foretold apart from it, linearly, from what a teacher showed
    (:mod:`undark.train.teacher`). Such a step is so likely, against ending the edit, as it gains:
    it comes where all else is done, and learning the one never disturbs the other.

    Args:
        state: Numbers beside the glance.
        actions: Actions to choose from; the last is to stop.
        places: How many of them, the ones before the last, are steps in places.
        width: Units of the two hidden layers.
    """

    def __init__(self, state: int, actions: int, places: int, width: int) -> None:
        """Begin with all actions nearly alike, but for the ones in places."""
        super().__init__()
        self.eyes: _Eyes = _Eyes(state, width)
        self.choose: nn.Linear = _settle(nn.Linear(width, actions - places), 0.01)
        self.foretell: nn.Linear = nn.Linear(state + 6 * _COARSE**2, places)
        self.foretell.requires_grad_(False)
        nn.init.zeros_(self.foretell.weight)
        nn.init.constant_(self.foretell.bias, _SHY)

    def grown(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """`state` of a policy that chose among all steps by one network, or knew no places.

        Of it only what is done everywhere is taken over.
        """
        weight, bias = state.get("choose.weight"), state.get("choose.bias")
        if weight is None or bias is None or "foretell.bias" in state or len(bias) not in CHOICES:
            return state
        everywhere = [*range(self.choose.out_features - 1), -1]
        rows = {"choose.weight": weight[everywhere], "choose.bias": bias[everywhere]}
        return {**self.state_dict(), **state, **rows}

    def forward(self, glance: Tensor, state: Tensor) -> Tensor:
        """A logit for each action, N×actions.

        Args:
            glance: N×3×h×h in [0, 1], h a multiple of 16.
            state: N×state.
        """
        everywhere = self.choose(self.eyes(glance, state))
        stop = everywhere[:, -1:]
        gained = self.foretell(features(glance, state)) / _LEVEL
        # Far above stopping none may be, or an edit far from its end would turn to a place.
        likelier = torch.where(gained > 0, gained.abs().log1p(), gained)
        return torch.cat([everywhere[:, :-1], stop + likelier, stop], dim=1)


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
