"""Membership query synthesis: pictures decoded from between the latent codes of unsure cases, for an oracle to answer.

A synthetic picture belongs to no patient. It is never stored as a case, nor its answer as a human label; and as
people can often not read it, "unreadable" is one of the answers. What comes of it is either a hint (how the oracle
calls a region of the latent space) or, safer, the real case nearest to it (see `medloop.query.generative.synthesis`, "asal").

Sources: Angluin 1988, doi:10.1007/BF00116828 (membership queries); Baum and Lang 1992 for what goes wrong with them:
people cannot read what machines make up; Zhu and Bento 2017 (GAAL), arXiv:1702.07956.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from medloop.core.errors import InputError, ShapeError
from medloop.models.pretext.latent import decode_latent
from medloop.models.pretext.networks import Codes
from medloop.models.pretext.thumbnails import Thumbnail


class Reading(StrEnum):
    """Whether an oracle could make sense of a synthetic picture."""

    READ = "read"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, eq=False)
class SyntheticSample:
    """A made-up picture and where in the latent space it lies.

    Attributes:
        thumbnail: Shape (3, 64, 64).
        code: Shape (dimensions,).
        synthetic: Always true; whoever shows or keeps it must say so.
    """

    thumbnail: Thumbnail
    code: Codes
    synthetic: Literal[True] = True


@dataclass(frozen=True)
class OracleReply:
    """What an oracle says about a synthetic picture.

    Attributes:
        reading: Whether it could be read.
        label: The class, when it could.
    """

    reading: Reading
    label: int | None = None

    def __post_init__(self) -> None:
        if (self.reading is Reading.READ) != (self.label is not None):
            raise InputError(f"A reply has a label exactly if the picture was read, got {self.reading} with label {self.label}")


UNREADABLE = OracleReply(Reading.UNREADABLE)

Oracle = Callable[[SyntheticSample], OracleReply]


@dataclass(frozen=True, eq=False)
class SyntheticAnswers:
    """What came of asking synthetic pictures: hints about the latent space, not labels of cases.

    Attributes:
        codes: Codes of those that were read, shape (read, dimensions).
        labels: Their classes, shape (read,).
        unreadable: How many could not be read.
    """

    codes: Codes
    labels: tuple[int, ...]
    unreadable: int


def synthesise(weights: bytes, codes: Codes) -> list[SyntheticSample]:
    """The pictures that codes stand for.

    Args:
        weights: Of `medloop.models.pretext.latent.train_latent`.
        codes: Shape (points, dimensions), for example of `medloop.query.synthesis.uncertain_points`.

    Raises:
        FormatError: Bytes that are not safetensors.
        InputError: Weights of another network.
        ShapeError: Codes of another length.
    """
    pictures = decode_latent(weights, codes)
    return [SyntheticSample(picture, code) for picture, code in zip(pictures, codes, strict=True)]


def ask_synthetic(samples: Sequence[SyntheticSample], oracle: Oracle) -> SyntheticAnswers:
    """Put every picture to the oracle, in order.

    Raises:
        ShapeError: Without samples.
    """
    if not samples:
        raise ShapeError("There must be at least one synthetic picture to ask, got none")
    replies = [oracle(sample) for sample in samples]
    read = [(sample.code, reply.label) for sample, reply in zip(samples, replies, strict=True) if reply.label is not None]
    codes = np.stack([code for code, _ in read]) if read else np.zeros((0, len(samples[0].code)), dtype=np.float32)
    return SyntheticAnswers(codes, tuple(label for _, label in read), len(samples) - len(read))
