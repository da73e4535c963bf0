"""Reinforcement: an agent learns to retouch in steps by what each step gains."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor
from torch.utils.data import IterableDataset

from undark.errors import RecipeError
from undark.models.card import Scaling
from undark.pixels.look import IN_PLACES, STATE, STOP
from undark.train.data.datasets import Dataset
from undark.train.data.stream import Batch
from undark.train.environment import Gallery, Retouch, Scene
from undark.train.methods.base import Method
from undark.train.nets.policy import Critic, Policy
from undark.train.recipe import Recipe
from undark.train.teacher import Notes, lesson

__all__ = ["Agent", "Options"]

_FRESH = 40
"""Steps of the loop after which synthetic darkness is made anew."""


@dataclass(frozen=True, slots=True)
class Options:
    """What PPO has to set; a step of the loop is one round of retouching and of learning from it.

    Attributes:
        environments: Photos retouched side by side.
        horizon: Steps of each of them in a round.
        epochs: Passes over a round's steps.
        batch: Steps to a gradient.
        discount: Of rewards to come.
        trace: λ of generalised advantage estimation.
        clip: How far the policy may move from the one that retouched.
        entropy: Weight of the policy's entropy.
        cost: Of each step of an episode.
        structure: Weight of SSIM beside PSNR/10 in the reward.
        hints: Tell the critic, in training alone, how far the truth is.
        window: Smallest share of a photo's height, and of its width, that an episode is shown; by
            chance in between, so that photos are not known by heart.
        demonstrations: Photos in each round on which a teacher who is told the truth shows what
            each step in a place gains (:mod:`undark.train.teacher`); 0 for none.
        alone: Rounds before the teacher comes. One who comes before the agent finishes its edits
            shows that steps in places gain much, and it learns nothing else.
    """

    environments: int = 16
    horizon: int = 64
    epochs: int = 4
    batch: int = 256
    discount: float = 0.98
    trace: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    cost: float = 0.005
    structure: float = 1.0
    hints: bool = True
    window: float = 1.0
    demonstrations: int = 0
    alone: int = 0


class _Rounds(IterableDataset[int]):
    """The numbers of the loop's steps: scenes are drawn by the environments themselves."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self._start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._start)


class _ActorCritic(ActorCriticPolicy):
    """Our two networks as stable-baselines3 calls them."""

    def __init__(self, *args: Any, width: int, **kwargs: Any) -> None:
        self._width = width
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Any) -> None:
        hint = cast(spaces.Dict, self.observation_space).spaces.get("hint")
        self.actor: Policy = Policy(STATE, STOP + 1, len(IN_PLACES), self._width)
        self.critic: Critic = Critic(
            STATE, 0 if hint is None else cast(Any, hint.shape)[0], self._width
        )
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            self.parameters(), lr=lr_schedule(1.0)
        )

    def get_distribution(self, obs: Any) -> Any:
        return self.action_dist.proba_distribution(self.actor(obs["glance"], obs["state"]))

    def predict_values(self, obs: Any) -> Tensor:
        return self.critic(obs["glance"], obs["state"], obs.get("hint", obs["state"][:, :0]))

    def forward(self, obs: Any, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        chances = self.get_distribution(obs)
        actions = chances.get_actions(deterministic=deterministic)
        return actions, self.predict_values(obs), chances.log_prob(actions)

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        chances = self.get_distribution(obs)
        return self.predict_values(obs), chances.log_prob(actions), chances.entropy()


class Agent(Method[Policy, Options]):
    """Proximal policy optimisation on :class:`undark.train.environment.Retouch`.

    A step of the loop is a round: some steps of retouching, then some gradients. Every round
    begins with new episodes and its own seed, so a resumed run goes on as if it had never
    stopped.
    """

    kind = "reinforcement"
    papers: ClassVar[tuple[str, ...]] = (
        "Schulman et al., Proximal Policy Optimization Algorithms, arXiv 1707.06347, 2017",
        "Park et al., Distort-and-Recover, CVPR 2018",
        "Hu et al., Exposure: A White-Box Photo Post-Processing Framework, TOG 2018",
        "Pinto et al., Asymmetric Actor Critic for Image-Based Robot Learning, RSS 2018",
        "Ross et al., A Reduction of Imitation Learning and Structured Prediction to No-Regret"
        " Online Learning, AISTATS 2011",
    )
    outputs: ClassVar[tuple[str, ...]] = ("logits",)
    Options: ClassVar[type[Any]] = Options
    reads: ClassVar[tuple[str, ...]] = ("pairs", "darken", "keep", "dark")
    diet: ClassVar[str] = (
        "pairs of dark and light images in one folder (data), or dark photos alone (dark)"
    )
    divides: ClassVar[bool] = False
    defaults: ClassVar[dict[str, Any]] = {
        "net.widths": [96],
        "fit.steps": 300,
        "fit.lr": 1e-3,
        "fit.warmup": 5,
        "fit.weight_decay": 0.0,
        "fit.ema": 0.9,
        "fit.precision": "32-true",
        "fit.validate_every": 50,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the policy, its critic and the environments."""
        super().__init__(recipe)
        net, options = recipe.net, self.options
        self.automatic_optimization = False
        self.glance: int = net.glance
        self.multiple: int = 1
        self.gallery: Gallery | None = None
        self.agent: PPO = PPO(
            _ActorCritic,
            DummyVecEnv([self._environment] * options.environments),
            learning_rate=lambda _: self._rate,
            n_steps=options.horizon,
            batch_size=options.batch,
            n_epochs=options.epochs,
            gamma=options.discount,
            gae_lambda=options.trace,
            clip_range=options.clip,
            ent_coef=options.entropy,
            max_grad_norm=recipe.fit.clip or math.inf,
            stats_window_size=options.environments * options.horizon,
            policy_kwargs={"width": net.widths[0]},
            device="cpu",
        )
        self.agent.set_logger(Logger(None, []))
        self.actor_critic: _ActorCritic = cast(_ActorCritic, self.agent.policy)
        self.network: Policy = self.actor_critic.actor
        foretell = self.network.foretell
        self.notes: Notes = Notes(foretell.in_features, foretell.out_features)

    @classmethod
    def check(cls, recipe: Recipe, options: Options) -> None:
        """A glance that the policy can average, and rounds of whole batches."""
        steps = options.environments * options.horizon
        if recipe.net.glance < 16 or recipe.net.glance % 16:
            raise RecipeError("net.glance: must be a multiple of 16 for an agent")
        if recipe.fit.accumulate != 1:
            raise RecipeError("fit.accumulate: must be 1 for an agent, whose step is a round")
        if min(options.environments, options.horizon, options.epochs) < 1 or options.batch < 2:
            raise RecipeError(
                "options: environments, horizon and epochs must be at least 1, batch at least 2"
            )
        if steps % options.batch:
            raise RecipeError(
                f"options.batch: must divide environments × horizon, which is {steps}"
            )
        if not 0 < options.window <= 1:
            raise RecipeError("options.window: must be above 0 and at most 1")
        if min(options.demonstrations, options.alone) < 0:
            raise RecipeError("options: demonstrations and alone must be at least 0")

    @property
    def _rate(self) -> float:
        """The learning rate that the loop's schedule stands at."""
        known = getattr(self, "actor_critic", None)
        return self.recipe.fit.lr if known is None else known.optimizer.param_groups[0]["lr"]

    def _environment(self) -> Monitor[Any, Any]:
        options = self.options
        return Monitor(
            Retouch(self._draw, glance=self.glance, cost=options.cost, hints=options.hints)
        )

    def _draw(self, random: np.random.Generator) -> Scene:
        assert self.gallery is not None  # the loop asks for `stream` first
        return self.gallery(random)

    def stream(self, datasets: Sequence[Dataset]) -> IterableDataset[Any]:
        """The numbers of the rounds; the environments draw from `datasets`."""
        options = self.options
        self.gallery = Gallery(
            datasets, self.recipe.augment, structure=options.structure, window=options.window
        )
        return _Rounds(self.batches)

    def groups(self) -> list[dict[str, Any]]:
        """Policy and critic, clipped as one by PPO."""
        return [{"params": list(self.actor_critic.parameters())}]

    def configure_optimizers(self) -> Any:
        """The loop's optimiser, which PPO then uses."""
        found = super().configure_optimizers()
        self.actor_critic.optimizer = found["optimizer"]
        return found

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """A round of PPO; beside the loss, what an episode gained, its length and the entropy."""
        del batch
        assert self.gallery is not None
        self.gallery.version = self.batches // _FRESH
        agent, options = self.agent, self.options
        agent.device = agent.rollout_buffer.device = self.device
        seed = np.random.SeedSequence((self.recipe.seed, self.batches)).generate_state(1)[0]
        set_random_seed(int(seed))  # stable-baselines3 shuffles by NumPy's global state
        cast(DummyVecEnv, agent.env).seed(int(seed) >> 1)
        noted = agent.logger.name_to_value
        noted.clear()
        try:
            # One round; its second never comes, so what was noted is not cleared by logging it.
            agent.learn(options.environments * options.horizon, log_interval=2)
        except ValueError as error:  # so torch refuses logits that are not numbers
            if "nan" not in str(error):
                raise
            noted["train/loss"] = math.nan
        episodes = list(agent.ep_info_buffer or [])
        values = {
            "loss": noted["train/loss"],
            "gain": np.mean([episode["r"] for episode in episodes]) if episodes else 0.0,
            "steps": np.mean([episode["l"] for episode in episodes]) if episodes else 0.0,
            "entropy": -noted["train/entropy_loss"],
            "value": noted["train/value_loss"],
        }
        if options.demonstrations and self.batches >= options.alone:
            values["places"] = self._be_shown()
        return {name: torch.tensor(float(value)) for name, value in values.items()}

    @torch.no_grad()
    def _be_shown(self) -> float:
        """Hear a teacher on some photos, and foretell by all that was shown so far.

        Returns:
            How far off, in dB, was what had been foretold of these photos: the root of the mean
            square.
        """
        options, random = self.options, np.random.default_rng((self.recipe.seed, self.batches, 1))

        def choose(glance: NDArray[np.float32], state: NDArray[np.float32]) -> int:
            seen = (torch.from_numpy(array[None]).to(self.device) for array in (glance, state))
            return int(self.network(*seen).argmax())

        found = [
            lesson(scene.look, scene.truth, cost=options.cost, choose=choose)
            for scene in (self._draw(random) for _ in range(options.demonstrations))
            if scene.truth is not None
        ]
        error = self.notes.add([one for one in found if one is not None])
        learned = self.notes.learned()
        if learned is not None:
            self.network.foretell.weight.copy_(learned[0])
            self.network.foretell.bias.copy_(learned[1])
        return error

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One round."""
        loss = super().training_step(batch, batch_idx)
        # PPO has taken its gradients. Without any, this moves nothing, but the loop counts it.
        optimizer = cast(Any, self.optimizers())
        optimizer.zero_grad()
        optimizer.step()
        cast(Any, self.lr_schedulers()).step()
        return loss

    # What is exported.

    def scaling(self) -> Scaling:
        """Steps, chosen from the glance."""
        return Scaling(mode="steps", multiple=1, minimum=1)

    def shapes(self) -> dict[str, dict[int, Any]]:
        """Glance and state."""
        batch = torch.export.Dim("n")
        return {"glance": {0: batch}, "state": {0: batch}}

    def examples(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        """Observations at random."""
        return [
            (
                torch.from_numpy(random.random((n, 3, self.glance, self.glance), dtype=np.float32)),
                torch.from_numpy(random.standard_normal((n, STATE), dtype=np.float32)),
            )
            for n in (2, 1, 5)
        ]
