"""Shrink what a run's glance guesses of brightness, for each kind of photo by itself.

    python benchmarks/guess.py RUN --data DATA -o shrunken.safetensors
    undark export shrunken.safetensors -o pix2pix.onnx --half

A network that learned from several kinds of photos guesses too boldly of those whose brightness a
dark photo does not tell, and `net.shrink` cannot help: it pulls all kinds to one level. Here the
last layer of the guess is solved for anew, in closed form: ridge regression, on the features of the
scenes learned from, towards the guess itself for sources with `level = "guessed"`, and for the
others towards their mean truth plus a part (`--keep`) of what the guess says beyond its own mean.
Nothing else is changed. Measured on the scenes held out, plain protocol, before and after.

RUN is a run's folder, an exported ONNX file or a model of the catalog, of a network that guesses by
a :class:`undark.train.nets.unet.GlanceEncoder`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from undark.train.data.datasets import Dataset, load_datasets
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.nets.unet import GlanceEncoder
from undark.train.weights import Weights, load_into, load_weights, save_weights


class Kind(NamedTuple):
    """What is known of one source: features, the guess and the truth, as corrections in logits."""

    features: Tensor
    guess: Tensor
    truth: Tensor
    bold: bool


def refit(
    kinds: Sequence[Kind], *, keep: float, ridge: float, bold: float
) -> tuple[Tensor, Tensor]:
    """Weights and bias of the last layer, by weighted ridge regression.

    Args:
        kinds: A source each; all of its photos together weigh 1, those of bold ones `bold`.
        keep: Part of the guess's own spread that is kept where a kind is not bold.
        ridge: Thousandths of the unit matrix.
        bold: See above.
    """
    features = torch.cat([kind.features for kind in kinds])
    wanted = torch.cat(
        [
            kind.guess if kind.bold else kind.truth.mean() + keep * (kind.guess - kind.guess.mean())
            for kind in kinds
        ]
    )
    shares = torch.cat(
        [torch.full_like(k.guess, (bold if k.bold else 1.0) / len(k.guess)) for k in kinds]
    )
    shares = shares / shares.sum()
    middle, level = shares @ features, shares @ wanted
    centred = features - middle
    # Sources of weight 1 in all, so that `ridge` means the same whatever their number is.
    scale = 1.0 / (len(kinds) - 1 + bold) if any(k.bold for k in kinds) else 1.0 / len(kinds)
    damped = ridge * 1e-3 * scale * torch.eye(features.shape[1])
    weights = torch.linalg.solve(
        (centred * shares[:, None]).T @ centred + damped,
        (centred * shares[:, None]).T @ (wanted - level),
    )
    return weights, level - middle @ weights


def look(encoder: GlanceEncoder, dataset: Dataset) -> Kind:
    """The features, guesses and truths of a source of pairs, mirror images as the run flips."""
    drawn = [dataset.draw(index, 0) for index in range(len(dataset))]
    lows = [sample.low_glance for sample in drawn]
    highs = [sample.high_glance for sample in drawn]
    if dataset.source.flip:
        lows += [low[:, ::-1] for low in lows if low is not None]
        highs += highs
    glances = torch.from_numpy(np.stack([low for low in lows if low is not None]))
    levels = torch.tensor([float(high.mean()) for high in highs if high is not None])
    kept: list[Tensor] = []

    def keep(_module: object, _inputs: object, output: Tensor) -> None:
        kept.append(output)

    hook = encoder.mix.register_forward_hook(keep)
    with torch.no_grad():
        encoder(glances.permute(0, 3, 1, 2).float().contiguous())
        guess = encoder.decide(kept[0])[:, 0]
    hook.remove()
    truth = torch.logit(levels.clamp(0.02, 0.97)) - encoder.prior.detach()
    return Kind(kept[0], guess, truth, dataset.source.level == "guessed")


def measure(method: Method, held: dict[str, list]) -> list[dict[str, object]]:
    """Means over the pairs held out, as a run notes them."""
    records: list[dict[str, object]] = []
    for name, pairs in held.items():
        values = [method.measure(pair)[0] for pair in pairs]
        means = {key: float(np.mean([value[key] for value in values])) for key in values[0]}
        means["error_ev"] = float(np.sqrt(np.mean([value["error_ev"] ** 2 for value in values])))
        records.append({"on": name, "pictures": len(values), **means})
        print(f"{name}: " + ", ".join(f"{key} {mean:.4f}" for key, mean in means.items()))
    return records


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--keep", type=float, default=0.25)
    parser.add_argument("--ridge", type=float, default=30.0)
    parser.add_argument("--bold", type=float, default=3.0, help="weight of a bold source")
    asked = parser.parse_args()

    weights = load_weights(asked.run)
    method = make_method(weights.recipe)
    load_into(method.network, weights)
    method.network.eval()
    encoder = getattr(method.network, "encoder", None)
    if not isinstance(encoder, GlanceEncoder):
        parser.error(f"{asked.run}: its network does not guess by a glance")
    plan = weights.recipe
    datasets, held = load_datasets(
        plan.data, root=asked.data, glance=method.glance, seed=plan.seed, notify=print
    )
    kinds = [look(encoder, data) for data in datasets if data.source.kind == "pairs"]
    print("as it was")
    measure(method, held)
    row, bias = refit(kinds, keep=asked.keep, ridge=asked.ridge, bold=asked.bold)
    with torch.no_grad():
        encoder.decide.weight[0] = row
        encoder.decide.bias[0] = bias
    print("shrunken")
    records = measure(method, held)
    save_weights(Weights(method.network.state_dict(), plan, records), asked.output)


if __name__ == "__main__":
    main()
