"""Where a NIfTI file's voxels lie: the affine by the standard's order (sform, qform, voxel sizes), in millimetres, and what is odd.

What the standard defines is read, however odd, and noted: a qfac of 0 is 1, voxel sizes do not matter where there is an sform, a
quaternion longer than 1 is scaled to 1, and another unit of length than the millimetre is converted.

Source: nifti1.h (Cox et al. 2004), sections "3D image orientation" and "units"; nifti1_io.c, nifti_quatern_to_mat44.
"""

import math
from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np

from medloop.core.arrays import Affine
from medloop.core.errors import FormatError, GeometryError
from medloop.core.geometry import Shape3
from medloop.images.nifti_header import NIFTI1, NiftiHeader

SHEAR_TOLERANCE = 1e-3
"""Cosine between voxel axes above which they are called sheared: 0.06 degrees."""

FORM_GAP = 0.01
"""Share of a voxel by which qform and sform may differ before it is noted: rounding stays below."""

_SIZE_SHARE = 0.01
_LONGEST_QUATERNION = 1.1
"""Length of (b, c, d) that is still taken as rounding; the standard scales it to 1."""

_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}
_LARGEST_VOXEL_MM = 100.0
"""A voxel larger than this does not exist: a header that says metres then means millimetres."""

_BLANK = "no orientation is stored (qform and sform codes are 0); left and right are not known"


@dataclass(frozen=True)
class Place:
    """The affine in millimetres (RAS+), what was noticed, and whether the patient's directions are known."""

    affine: Affine
    notes: tuple[str, ...]
    oriented: bool


def place_of(name: str, header: NiftiHeader, shape: Shape3) -> Place:
    """Where the voxels of a gated header lie.

    Args:
        name: Of the file.
        header: As `gate_header` gives it.
        shape: (I, J, K).

    Raises:
        FormatError: Voxel sizes that are needed and cannot be used.
        GeometryError: A qform that is needed and is no rotation.
    """
    fields, notes = _fields(header)
    has_s, has_q = int(fields["sform_code"]) > 0, int(fields["qform_code"]) > 0
    stored = np.asarray(fields.get_sform(), dtype=np.float64)
    stored = _with_depth(stored) if len(header.shape) == 2 else stored
    sform = _usable(stored) if has_s else None
    if has_s and sform is None and not has_q:
        return Place(stored, (), oriented=True)  # the grid refuses it, with its columns
    if sform is None:
        affine, said = _without_sform(name, header, fields, has_s=has_s, has_q=has_q)
    else:
        affine, said = sform, _sform_notes(header, fields, sform, shape, has_q=has_q)
    if len(header.shape) == 2:
        affine = _with_depth(affine)
    affine, unit = _in_millimetres(affine, int(fields["xyzt_units"]) & 7)
    return Place(affine, (*notes, *said, *_shear_notes(affine), *unit), oriented=has_s or has_q)


def shear_of(affine: Affine) -> float:
    """Largest cosine between two voxel axes; 0 when any of them is empty or not finite (refused later)."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        return 0.0
    unit = affine[:3, :3] / lengths
    return float(np.abs(unit.T @ unit - np.eye(3)).max())


def _fields(header: NiftiHeader) -> tuple[Any, list[str]]:
    """The header's fields with qfac and quaternion made what the standard takes them for."""
    kind: Any = nibabel.Nifti1Header if header.layout is NIFTI1 else nibabel.Nifti2Header
    fields: Any = kind(header.raw, endianness=header.order, check=False)
    notes: list[str] = []
    if int(fields["qform_code"]) > 0:
        qfac = float(fields["pixdim"][0])
        if qfac not in (1.0, -1.0):
            fields["pixdim"][0] = -1.0 if qfac < 0 else 1.0
            notes.append(f"qfac (pixdim[0]) is {qfac:g}; it is read as {-1 if qfac < 0 else 1}, as the standard says, for the qform")
        imaginary = np.array([float(fields[f"quatern_{letter}"]) for letter in "bcd"])
        length = float(np.linalg.norm(imaginary))
        if 1.0 < length <= _LONGEST_QUATERNION:
            for letter, value in zip("bcd", imaginary / (length * (1 + 1e-7)), strict=True):
                fields[f"quatern_{letter}"] = value
            if length > 1.0 + 1e-5:
                notes.append(f"the qform's quaternion has length {length:.4g}; it is scaled to 1, as the standard says")
    return fields, notes


def _usable(affine: Affine) -> Affine | None:
    """An affine that spans space; None otherwise."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (lengths > 0).all():
        return None
    return affine if abs(float(np.linalg.det(affine[:3, :3] / lengths))) >= 1e-3 else None


def _without_sform(name: str, header: NiftiHeader, fields: Any, *, has_s: bool, has_q: bool) -> tuple[Affine, tuple[str, ...]]:
    """The qform, or the voxel sizes alone; both need voxel sizes."""
    _require_sizes(name, header)
    if not has_q:
        return np.asarray(fields.get_base_affine(), dtype=np.float64), (_BLANK,)
    words = ("the sform does not span space; the qform is used",) if has_s else ()
    return _qform(name, fields), words


def _require_sizes(name: str, header: NiftiHeader) -> None:
    used = header.pixdim[1 : min(len(header.shape), 3) + 1]
    if not all(math.isfinite(s) and 1e-6 <= s <= 1e6 for s in used):
        raise FormatError(
            f"{name}: voxel sizes (pixdim) must be finite and positive where there is no sform, got {', '.join(f'{s:g}' for s in used)}",
            remedy="set the true voxel size in the header",
        )


def _sform_notes(header: NiftiHeader, fields: Any, sform: Affine, shape: Shape3, *, has_q: bool) -> tuple[str, ...]:
    """What the other ways to say the same disagree about; the sform is used in any case."""
    notes = []
    sizes = np.linalg.norm(sform[:3, :3], axis=0)[: min(len(header.shape), 3)]
    stated = np.array(header.pixdim[1 : len(sizes) + 1])
    whole = bool(np.isfinite(stated).all() and (stated > 0).all())
    if not whole or bool((np.abs(stated - sizes) > _SIZE_SHARE * sizes).any()):
        notes.append(f"voxel sizes of the sform ({_by(sizes)}) and pixdim ({_by(stated)}) disagree; the sform is used")
    if has_q and not whole:
        notes.append("the qform has no usable voxel sizes; the sform is used")
    elif has_q:
        try:
            gap, share = _gap(sform, _qform("", fields), shape)
        except GeometryError:
            notes.append("the qform is no rotation; the sform is used")
        else:
            if share > FORM_GAP:
                notes.append(f"qform and sform disagree by up to {gap:.3g} mm; the sform is used")
    return tuple(notes)


def _qform(name: str, fields: Any) -> Affine:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(fields.get_qform(), dtype=np.float64)
    except (nibabel.spatialimages.HeaderDataError, ValueError, ArithmeticError) as error:
        raise GeometryError(f"{name}: the qform must be a rotation, got: {error}", remedy="repair the image's header") from error


def _with_depth(affine: Affine) -> Affine:
    """A 2D file often leaves its third axis empty: make it 1 mm, at a right angle to the others."""
    if np.linalg.norm(affine[:3, 2]) > 0:
        return affine
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    length = float(np.linalg.norm(normal))
    repaired = affine.copy()
    repaired[:3, 2] = normal / length if length > 0 else (0.0, 0.0, 1.0)
    return repaired


def _in_millimetres(affine: Affine, unit: int) -> tuple[Affine, tuple[str, ...]]:
    """Positions in mm, whatever the header's unit of length."""
    if unit not in _UNITS:
        return affine, ()
    words, factor = _UNITS[unit]
    largest = float(np.linalg.norm(affine[:3, :3], axis=0).max()) * factor
    if largest > _LARGEST_VOXEL_MM:
        return affine, (f"the header's unit of length is {words}, which would make voxels of {largest:g} mm; they are read as millimetres",)
    converted = affine.copy()
    converted[:3] *= factor
    return converted, (f"the header's unit of length is {words}; positions are converted to millimetres",)


def _shear_notes(affine: Affine) -> tuple[str, ...]:
    lean = shear_of(affine)
    if lean <= SHEAR_TOLERANCE:
        return ()
    return (f"voxel axes are sheared: {np.degrees(np.arccos(min(lean, 1.0))):.1f} degrees between two of them instead of 90",)


def _gap(first: Affine, second: Affine, shape: Shape3) -> tuple[float, float]:
    """Largest distance between two affines over the corners of a volume along an axis: in mm, and as a share of the smallest voxel."""
    corners = np.array([[a, b, c, 1] for a in (0, shape[0] - 1) for b in (0, shape[1] - 1) for c in (0, shape[2] - 1)])
    gap = float(np.abs((first - second)[:3] @ corners.T).max())
    return gap, gap / float(np.linalg.norm(first[:3, :3], axis=0).min())


def _by(sizes: Any) -> str:
    return "×".join(f"{size:.4g}" for size in sizes)
