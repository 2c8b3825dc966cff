"""Names for array shapes, so that a signature says what its axes mean.

Axis order everywhere: images `(C, I, J, K)`, masks `(I, J, K)`, samples first, classes last but one
only where a network needs it. `I, J, K` are the voxel axes in file order; a 2D image has `K == 1`.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

ImageArray: TypeAlias = npt.NDArray[Any]
"""Intensities, shape (channels, I, J, K), any real dtype."""

MaskArray: TypeAlias = npt.NDArray[np.uint8]
"""Label values, shape (I, J, K)."""

ObjectNumbers: TypeAlias = npt.NDArray[np.uint16]
"""Which object each voxel belongs to, 0 for none; shape (I, J, K)."""

ClassProbabilities: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (classes, I, J, K) for voxels or (classes,) for a whole case; sums to 1 over classes."""

ProbabilitySamples: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (samples, classes, …): several answers of one model, or of several, to one case."""

ClassSamples: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (samples, cases, classes); last axis sums to 1."""

CaseProbabilities: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (cases, classes); last axis sums to 1."""

CaseScores: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (cases,); higher means query sooner."""

Features: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (cases, dimensions)."""

Affine: TypeAlias = npt.NDArray[np.float64]
"""Shape (4, 4), voxel index → mm, RAS+."""

UNKNOWN = 255
"""Mask value of voxels that nobody has annotated; networks ignore them."""
