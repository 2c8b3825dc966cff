"""Arrays of a project by id: the bridge between records and blobs."""

import gzip
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray, ImageArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Case, Prediction
from medloop.images.encode import decode_mask, decode_voxels
from medloop.loop.foundation.marked import load_marks, marked_mask
from medloop.loop.foundation.partial_annotations import merged_annotation
from medloop.loop.foundation.removed_images import require_image
from medloop.store.blobs import Blobs

Windows: TypeAlias = Sequence[tuple[float, float]]
COLOUR: Windows = ((0.0, 255.0),) * 3
"""Windows of a picture whose three channels are red, green and blue."""


def load_image(blobs: Blobs, case: Case) -> Image:
    """The case's intensities, shape (C, I, J, K).

    Raises:
        BlobError: The bytes are damaged or gone, or the image was removed by the retention rule.
    """
    require_image(case)
    array = decode_voxels(blobs.get(case.voxels), (case.channels, *case.grid.shape), case.dtype)
    return Image(array, case.grid)


def shown_channels(blobs: Blobs, case: Case) -> tuple[ImageArray, Windows]:
    """The channels of a case that a picture shows, with their windows: red, green and blue of a colour image, else the first."""
    image = load_image(blobs, case).array
    return (image, COLOUR) if case.channel_windows == COLOUR else (image[:1], case.channel_windows[:1])


def load_annotation(blobs: Blobs, annotation: Annotation, case: Case) -> Mask | int:
    """The annotation's mask on the case's grid, or its tag; unanswered voxels of a partial one, and those without a mark, are 255.

    Raises:
        InputError: It only rejects a proposal.
    """
    if annotation.kind == "rejected":
        raise InputError(f"Annotation {annotation.id} rejects a proposal, it says nothing else", remedy="annotate the case")
    if annotation.blob is None:
        return int(annotation.tag or 0)
    if annotation.kind == "marks":
        return Mask(marked_mask(load_marks(blobs, annotation), case.grid.shape), case.grid)
    if annotation.kind == "partial":
        return merged_annotation(blobs, [annotation], case)
    return load_mask(blobs, annotation, case)


def load_mask(blobs: Blobs, annotation: Annotation, case: Case) -> Mask:
    """The mask of an annotation that has one.

    Raises:
        InputError: The annotation is a tag.
    """
    if annotation.blob is None:
        raise InputError(f"Annotation {annotation.id} is a tag, it has no mask")
    return Mask(decode_mask(blobs.get(annotation.blob), case.grid.shape), case.grid)


def load_proposal(blobs: Blobs, prediction: Prediction, case: Case) -> MaskArray:
    """The mask a prediction proposes; background where it proposes none."""
    if prediction.mask is None:
        return np.zeros(case.grid.shape, dtype=np.uint8)
    return decode_mask(blobs.get(prediction.mask), case.grid.shape)


def store_features(blobs: Blobs, features: FloatArray) -> str:
    """Keep an embedding, shape (d,), as float32."""
    return blobs.put(gzip.compress(np.ascontiguousarray(features, dtype="<f4").tobytes(), 1, mtime=0))


def load_features(blobs: Blobs, name: str) -> FloatArray:
    """Inverse of `store_features`."""
    return np.frombuffer(gzip.decompress(blobs.get(name)), dtype="<f4")
