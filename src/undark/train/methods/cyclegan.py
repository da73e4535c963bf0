"""CycleGAN: a stack of dark photos, a stack of light ones, and no pairs.

Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
(ICCV 2017), with what low light has taught since: a global beside the local discriminator (Jiang et
al., "EnlightenGAN", TIP 2021), attention to dark parts by handing the generator the relit image
beside the dark one, and a second generator that is a camera
(:class:`undark.train.nets.darkener.Darkener`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from undark.errors import RecipeError
from undark.models.card import Scaling
from undark.train.data.stream import Batch
from undark.train.losses.adversarial import Criterion, Pool, adversarial, frozen
from undark.train.losses.against_truth import charbonnier
from undark.train.methods.base import Method
from undark.train.methods.reconstruction import check_unet, make_unet, reconstruct, unet_scaling
from undark.train.nets.darkener import Darkener
from undark.train.nets.patch import PatchDiscriminator
from undark.train.nets.unet import UNet, curve
from undark.train.recipe import Recipe
from undark.train.shares import rows

__all__ = ["CycleGAN", "Options"]

_SHOWN = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """What CycleGAN alone has to set; a weight of 0 leaves a term out.

    Attributes:
        criterion: ``least-squares`` as in the paper, or ``bce``.
        cycle_light: Weight of light → dark → light, held against the light photo by the
            recipe's table ``loss``.
        cycle_dark: Weight of dark → light → dark.
        identity: Weight of light → light.
        local: Weight of the adversarial loss on parts of the enhanced image.
        overall: The same on the glance of the enhanced image.
        level: Weight of the squared difference, in EV, between the mean levels of the enhanced
            images of a step and of the light ones.
        pool: Past fakes kept for each discriminator.
        discriminator: Channels after each halving of the PatchGANs.
        spectral: Spectral norm in the discriminators; else instance norm.
        discriminator_lr: Their learning rate, relative to the generator's.
        reverse_lr: The same of the camera that darkens.
    """

    criterion: Criterion = "least-squares"
    cycle_light: float = 10.0
    cycle_dark: float = 2.0
    identity: float = 1.0
    local: float = 0.1
    overall: float = 0.02
    level: float = 0.1
    pool: int = 40
    discriminator: tuple[int, ...] = (24, 48, 96)
    spectral: bool = True
    discriminator_lr: float = 0.5
    reverse_lr: float = 10.0


class CycleGAN(Method[UNet, Options]):
    """Two generators, three discriminators; the one from dark to light is exported.

    The cycle that begins in the light teaches restoration: the camera makes a dark photo whose
    truth is known, as dark as a photo of the dark stack, and its discriminator sees to it that it
    has that stack's noise and colours. It is not moved by that cycle, or it would learn to make
    the task easy. The cycle that begins in the dark keeps what the image shows.
    """

    kind = "unpaired"
    Options: ClassVar[type[Any]] = Options
    reads: ClassVar[tuple[str, ...]] = ("dark", "light")
    needs: ClassVar[tuple[str, ...]] = ("dark", "light")
    diet: ClassVar[str] = (
        "a stack of dark photos and one of light photos (dark and light),"
        " or a folder of pairs, whose pairing is hidden (data)"
    )
    papers: ClassVar[tuple[str, ...]] = (
        "Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial"
        " Networks, ICCV 2017",
        "Jiang et al., EnlightenGAN, TIP 2021",
        "Shrivastava et al., Learning from Simulated and Unsupervised Images, CVPR 2017",
        "Wei et al., A Physics-Based Noise Formation Model for Extreme Low-Light Raw Denoising,"
        " CVPR 2020",
    )
    defaults: ClassVar[dict[str, Any]] = {
        "data.sources": [{"kind": "dark"}, {"kind": "light"}],
        "data.batch": 4,
    }

    def __init__(self, recipe: Recipe) -> None:
        """Build the U-Net of the recipe's sizes, the camera and the discriminators."""
        super().__init__(recipe)
        self.network: UNet = make_unet(recipe.net)
        self.glance: int = recipe.net.glance
        self.multiple: int = self.network.multiple
        self.reverse: Darkener = Darkener()
        options = self.options
        self.discriminators: torch.nn.ModuleDict = torch.nn.ModuleDict(
            {
                name: PatchDiscriminator(3, widths=options.discriminator, spectral=options.spectral)
                for name in ("local", "overall", "dark")
            }
        )
        self.pools: torch.nn.ModuleDict = torch.nn.ModuleDict(
            {name: Pool(options.pool) for name in self.discriminators}
        )

    @classmethod
    def check(cls, recipe: Recipe, options: Options) -> None:
        """A glance, crops that the U-Net can take, and a pool of some size."""
        if not recipe.net.glance:
            raise RecipeError("net.glance: cyclegan decides from the glance; it cannot be 0")
        if options.pool < 0:
            raise RecipeError("options.pool: must be at least 0")
        check_unet(recipe)

    def groups(self) -> list[dict[str, Any]]:
        """Generator, camera, discriminators."""
        lr = self.recipe.fit.lr
        return [
            *super().groups(),
            {
                "params": list(self.reverse.parameters()),
                "lr": lr * self.options.reverse_lr,
                "betas": (0.5, 0.999),
                "weight_decay": 0.0,
            },
            {
                "params": list(self.discriminators.parameters()),
                "lr": lr * self.options.discriminator_lr,
                "betas": (0.5, 0.999),
                "weight_decay": 0.0,
            },
        ]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """All players' losses; ``generator`` and ``discriminator`` sum up the two sides."""
        options = self.options
        dark, light, light_glance = batch["image"], batch["light"], batch["light_glance"]
        level = batch["glance"].mean((1, 2, 3), keepdim=True).clamp(0.005, 0.6)
        from_light, fake_dark, wanted = self._from_light(light, light_glance, level)
        from_dark, fake_light, seen = self._from_dark(batch, level)
        terms = from_light | from_dark
        if options.identity:
            same = self.network(light[::2], light_glance[::2]).float()
            terms["identity"] = charbonnier(same, light[::2])

        fakes = {"local": fake_light, "overall": seen, "dark": _ranged(fake_dark, wanted)}
        reals = {"local": light, "overall": light_glance, "dark": _ranged(dark, level)}
        weights = {"local": options.local, "overall": options.overall, "dark": 1.0}
        fooled, judged = self._play(fakes, reals, weights)

        generator = fooled + sum(
            getattr(options, name) * terms[name]
            for name in ("cycle_light", "cycle_dark", "identity", "level")
            if name in terms
        )
        return {
            "loss": generator + judged,
            "generator": fooled,
            "discriminator": judged,
            **terms,
        }

    def _from_light(
        self, light: Tensor, glance: Tensor, level: Tensor
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Light → dark → light: its terms, the dark images made, and how dark they are to be.

        They are as dark as the dark photos of this step, whose mean levels are `level`.
        """
        with torch.autocast(light.device.type, enabled=False):
            jitter = torch.exp(
                0.2 * rows(lambda count: level.new_empty(count, 1, 1, 1).normal_(), len(level))
            )
            wanted = torch.minimum((level * jitter).clamp(0.005, 0.6), 0.9 * _mean(glance))
            fake_dark, fake_glance = self.reverse(light, glance, wanted)
        made = {
            "image": fake_dark.detach(),
            "truth": light,
            "glance": fake_glance.detach(),
            "truth_glance": glance,
            "told": torch.ones(light.shape[0], dtype=torch.bool, device=light.device),
        }
        cycle = reconstruct(self.network, made, self.recipe.loss)
        return {**cycle.terms, "cycle_light": cycle.total}, fake_dark, wanted

    def _from_dark(self, batch: Batch, level: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Dark → light → dark: its terms, the enhanced images, and their glances."""
        options, dark, glance = self.options, batch["image"], batch["glance"]
        terms: dict[str, Tensor] = {}
        decision = self.network.decide(glance)
        relit = curve(dark, decision.gain, decision.black)
        fake_light = self.network.restore(
            dark.contiguous(memory_format=torch.channels_last), relit, decision.context
        ).float()
        seen = curve(glance, decision.gain.float(), decision.black.float())
        with torch.autocast(dark.device.type, enabled=False):
            if options.cycle_dark:
                again, _ = self.reverse(fake_light.clamp(0.0, 1.0), seen, level, noise=False)
                shown = _SHOWN / level
                terms["cycle_dark"] = charbonnier(
                    F.avg_pool2d(again * shown, 4), F.avg_pool2d(dark * shown, 4)
                )
            if options.level:
                bright = torch.log2(_mean(batch["light_glance"])).mean()
                terms["level"] = (torch.log2(_mean(seen)).mean() - bright).square()
        return terms, fake_light, seen

    def _play(
        self, fakes: dict[str, Tensor], reals: dict[str, Tensor], weights: dict[str, float]
    ) -> tuple[Tensor, Tensor]:
        """The generators' weighted adversarial loss, and the discriminators' own."""
        criterion = self.options.criterion
        fooled: list[Tensor] = []
        judged: list[Tensor] = []
        for name, weight in weights.items():
            if not weight:
                continue
            discriminator = self.discriminators[name]
            with frozen(discriminator):
                logits = discriminator(fakes[name].clamp(-0.1, 1.1)).float()
                fooled.append(weight * adversarial(logits, real=True, criterion=criterion))
            old = self.pools[name](fakes[name].clamp(-0.1, 1.1))
            on_real, on_fake = discriminator(torch.cat((reals[name], old))).float().chunk(2)
            judged += [
                0.5 * adversarial(on_real, real=True, criterion=criterion),
                0.5 * adversarial(on_fake, real=False, criterion=criterion),
            ]
        return torch.stack(fooled).sum(), torch.stack(judged).sum()

    def finish(self, folder: Path) -> None:
        """Leave the learned camera as ``camera.json``, for a source's ``camera``."""
        camera = asdict(self.reverse.darkness(0.0))
        (folder / "camera.json").write_text(json.dumps(camera, indent=2) + "\n", encoding="utf-8")

    def scaling(self) -> Scaling:
        """As the U-Net's depth and glance ask."""
        return unet_scaling(self.network, self.recipe.data)


def _mean(image: Tensor) -> Tensor:
    return image.float().mean((1, 2, 3), keepdim=True).clamp(min=1e-3)


def _ranged(image: Tensor, level: Tensor) -> Tensor:
    """A dark image as bright as all others, so that its noise and colours show."""
    return (image * (_SHOWN / level)).clamp(max=1.0)
