"""Explanations as requests and answers hold them."""

from typing import Annotated, Literal

from pydantic import Field

from medloop.loop.foundation.partial_annotations import MAX_PARTS
from medloop.server.wire.schemas import Body, BoxBody, SliceBody, Text
from medloop.server.wire.views import Number, View

Place = tuple[int, int, int]
Method = Literal["grad-cam", "integrated-gradients", "occlusion"]


class ExplanationView(View):
    """A map of evidence: base64 of gzip of int8 in file order, -127 to 127, where 127 stands for `largest`.

    `gap` is how far integrated gradients are from adding up to score - baseline; `start` and `stop` is the box that the
    network saw.
    """

    label: int
    method: Method
    map: str
    largest: Number
    score: Number
    baseline: Number
    gap: Number
    start: Place
    stop: Place


class HypothesisView(View):
    """One distinct mask: base64 of gzip of uint8 label values in file order, and its share of the samples."""

    mask: str
    weight: float
    spread: float


class SuggestedPromptView(View):
    """A voxel worth a prompt: what its label would settle (nats), how much of the mask would change, and what the samples say."""

    voxel: Place
    information: float
    change: float
    shares: dict[str, float]


class HypothesesView(View):
    """What the model might have meant, likeliest first, and where one prompt would change most."""

    hypotheses: list[HypothesisView]
    suggested_prompts: list[SuggestedPromptView]


class SimilarCaseView(View):
    """An annotated case that looks alike."""

    case_id: str
    name: str
    distance: float
    labels: tuple[str, ...]
    quality: Number


class SimilarView(View):
    """The nearest annotated cases; `by` is model or descriptors."""

    by: str
    cases: tuple[SimilarCaseView, ...]


class ObjectionView(View):
    """One recorded objection; `voxels` 0 takes earlier ones of the same person back."""

    seq: int
    at: str
    case_id: str
    annotator_id: str
    label: int
    method: Method
    reason: str
    voxels: int


class ObjectionBody(Body):
    """The explanation is wrong: what was explained, and the regions that must not count as evidence.

    Attributes:
        label: The class or label value.
        method: How it was explained.
        regions: Slices and boxes that are irrelevant; none takes earlier objections back.
        reason: In words.
    """

    label: Annotated[int, Field(ge=0, le=255, strict=True)]
    method: Annotated[str, Field(max_length=40)]
    regions: Annotated[list[SliceBody | BoxBody], Field(max_length=MAX_PARTS)]
    reason: Annotated[Text, Field(max_length=500)] = ""
