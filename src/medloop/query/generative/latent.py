"""Strategies on what a second network says: a loss head, a discriminator, an attack, a code learned without labels."""

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.query.diversity.sharded_kcentre import sharded_k_centre
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, highest, in_turn, ordered


@ordered
def select_fragile(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The cases whose answer changes with the smallest change of the image."""
    distances = pool.score("adversarial_distance")
    nearest = np.argsort(distances, kind="stable")[:count]
    return [Pick(int(n), -float(distances[n]), f"a change of {distances[n]:.3g} would change the predicted class") for n in nearest]


@ordered
def select_coverage(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """Greedy k-centre over the latent codes, around the answered cases; the first of all is drawn when none is answered."""
    codes = _flat(pool.table("latent"))
    answered = pool.labelled_table("latent")
    known, first = None if answered is None else _flat(answered), int(rng.integers(len(codes)))
    picks = sharded_k_centre(codes, known, count, first=first, sharding=pool.sharding)
    return in_turn(picks, count, "its latent code is far from every annotated one")


def _flat(codes: FloatArray) -> FloatArray:
    """One row per case, whatever the shape of a code."""
    return codes.reshape(len(codes), -1)


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="learning-loss",
        title="Learning loss",
        paper="Yoo and Kweon 2019, arXiv:1905.03677",
        needs=frozenset({"predicted_loss"}),
        cost="a loss head, trained together with the model",
        advice="Any task with a loss; the head needs some dozens of annotations before its order means much.",
        select=highest("predicted_loss", "the model expects to be wrong (loss {value})"),
    ),
    Strategy(
        name="vaal",
        title="VAAL (variational adversarial active learning)",
        paper="Sinha, Ebrahimi and Darrell 2019, arXiv:1904.00370",
        needs=frozenset({"unlabelled"}),
        cost="an autoencoder and a discriminator, trained on the whole pool every round",
        advice="When the annotated cases miss whole kinds of images; ignores what the model finds hard.",
        select=highest("unlabelled", "unlike the annotated cases (probability {value})"),
    ),
    Strategy(
        name="dfal",
        title="DFAL (DeepFool active learning)",
        paper="Ducoffe and Precioso 2018, arXiv:1802.09841",
        needs=frozenset({"adversarial_distance"}),
        cost="an attack per case: several forward and backward passes",
        advice="Classification: queries near the decision boundary, measured in the image rather than in probabilities.",
        select=select_fragile,
    ),
    Strategy(
        name="vae-coverage",
        title="Coverage of a latent space",
        paper="Sener and Savarese 2018, arXiv:1708.00489, over the codes of an autoencoder (Kingma and Welling 2014, arXiv:1312.6114)",
        needs=frozenset({"latent"}),
        cost="an autoencoder on the pool, once; then cases × (annotated + batch) distances",
        advice="The first round, before any model exists; queries outliers early.",
        select=select_coverage,
    ),
)
