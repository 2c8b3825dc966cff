"""Synthetic scans with known truth, for the demo, the tests and the simulations.

Each phantom is a made-up patient (`anatomy`) seen with one of four contrasts: two kinds of T1-weighted
MR, a T2-weighted one in which bright and dark are swapped, and CT. Organs look like their neighbours
(liver and spleen, kidneys and bowel), differ in pose and shape, and lie under a bias field and noise,
so that neither a threshold nor a fixed atlas finds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medloop.core.geometry import Grid, Shape3
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.images.anatomy import Abdomen, Field, draw_abdomen, ellipsoid, smooth_field

FIELD_OF_VIEW_MM = (176.0, 176.0, 144.0)

_EDGE = 0.16
"""Half width of an organ's soft edge, in units of its field: about one voxel, as partial volume gives."""


@dataclass(frozen=True)
class Phantom:
    """A scan with its true segmentation.

    Attributes:
        contrast: "t1", "t1-enhanced", "t2" or "ct".
    """

    image: Image
    mask: Mask
    name: str
    patient: str
    contrast: str


@dataclass(frozen=True)
class TaggedPhantom:
    """A picture with its true class: 0 clear, 1 with a lesion in the liver."""

    image: Image
    tag: int
    name: str
    patient: str


@dataclass(frozen=True)
class Contrast:
    """How bright each tissue is, before a per-patient jitter of some percent.

    Attributes:
        share: How often it occurs.
        noise: Standard deviation of the noise, in the same units.
    """

    share: float
    noise: float
    air: float
    lung: float
    fat: float
    muscle: float
    bone: float
    fluid: float
    blood: float
    liver: float
    spleen: float
    cortex: float
    medulla: float
    stomach: float
    lesion: float


CONTRASTS: dict[str, Contrast] = {
    "t1": Contrast(0.4, 26, 0, 30, 900, 400, 560, 190, 240, 560, 430, 450, 350, 330, 380),
    "t1-enhanced": Contrast(0.25, 26, 0, 40, 190, 330, 260, 150, 820, 640, 700, 800, 700, 260, 420),
    "t2": Contrast(0.2, 26, 0, 30, 640, 190, 380, 930, 120, 270, 420, 460, 560, 620, 640),
    "ct": Contrast(0.15, 22, -1000, -820, -105, 55, 300, 12, 140, 108, 125, 175, 140, 35, 50),
}


def phantom_3d(index: int, seed: int = 0, shape: Shape3 = (64, 64, 48)) -> Phantom:
    """A volume of an abdomen with liver (1) and kidneys (2).

    Args:
        index: Number of the patient; the same (index, seed, shape) gives the same bytes.
        seed: Number of the collection.
        shape: Voxels along I, J, K (RAS+ axes) over a field of view of 176 × 176 × 144 mm.
    """
    rng = generator(seed, "phantom-3d", index)
    spacing = [mm / n for mm, n in zip(FIELD_OF_VIEW_MM, shape, strict=True)]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-s * (n - 1) / 2 for s, n in zip(spacing, shape, strict=True)]
    return _scan(rng, Grid(shape, affine), _coordinates(shape, (1, 1, 1)), f"phantom-{index:04d}", f"patient-{index:04d}")


def phantom_2d(index: int, seed: int = 0, shape: tuple[int, int] = (128, 128)) -> Phantom:
    """A picture (width, height) of one axial slice with liver (1) and, in most, kidneys (2).

    See `phantom_3d` for the arguments; the picture is drawn as on a screen, patient's right on the left.
    """
    rng = generator(seed, "phantom-2d", index)
    at, grid = _slice(rng, shape)
    return _scan(rng, grid, at, f"picture-{index:04d}", f"patient-{index:04d}")


def phantom_tags(index: int, seed: int = 0, shape: tuple[int, int] = (96, 96)) -> TaggedPhantom:
    """A picture of one axial slice, tagged 1 when the liver holds a lesion; both tags are equally frequent."""
    rng = generator(seed, "phantom-tags", index)
    tag = int(rng.integers(2))
    at, grid = _slice(rng, shape)
    patient = draw_abdomen(rng, at)
    array = _expose(rng, patient, _one_lesion(rng, at, patient.liver) if tag else np.full_like(patient.liver, 9), at)[0]
    return TaggedPhantom(Image(array[None], grid), tag, f"picture-{index:04d}", f"patient-{index:04d}")


def _slice(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[tuple[Field, Field, Field], Grid]:
    x, y, z = _coordinates((*shape, 1), (-1, -1, 1))
    return (x, y, z + np.float32(rng.uniform(-0.3, 0.05))), Grid.flat(*shape, FIELD_OF_VIEW_MM[0] / shape[0])


def _coordinates(shape: Shape3, signs: Sequence[int]) -> tuple[Field, Field, Field]:
    axes = [np.float32(s) * (np.arange(n, dtype=np.float32) + 0.5 - n / 2) / (n / 2) for n, s in zip(shape, signs, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return x, y, z


def _scan(rng: np.random.Generator, grid: Grid, at: Sequence[Field], name: str, patient: str) -> Phantom:
    abdomen = draw_abdomen(rng, at)
    array, contrast = _expose(rng, abdomen, abdomen.lesions, at)
    mask = np.zeros(grid.shape, np.uint8)
    mask[abdomen.liver < 1] = 1
    mask[abdomen.kidneys < 1] = 2
    return Phantom(Image(array[None], grid), Mask(mask, grid), name, patient, contrast)


def _one_lesion(rng: np.random.Generator, at: Sequence[Field], liver: Field) -> Field:
    """A round spot around a random point well inside the liver."""
    inside = np.flatnonzero(liver < max(0.55, float(liver.min()) * 1.05))
    spot = int(inside[rng.integers(len(inside))])
    radius = float(rng.uniform(0.08, 0.13))
    centre = (float(at[0].flat[spot]), float(at[1].flat[spot]), float(at[2].flat[spot]))
    return ellipsoid(at, centre, (radius, radius * float(rng.uniform(0.8, 1.2)), radius))


def _expose(rng: np.random.Generator, patient: Abdomen, lesions: Field, at: Sequence[Field]) -> tuple[npt.NDArray[np.int16], str]:
    """The intensities of a patient under a random contrast, with bias field and noise, and the contrast's name."""
    name = str(rng.choice(list(CONTRASTS), p=[c.share for c in CONTRASTS.values()]))
    contrast = CONTRASTS[name]
    picture = _paint(rng, patient, lesions, contrast)
    return _acquire(rng, picture, contrast, at, is_ct=name == "ct"), name


def _paint(rng: np.random.Generator, patient: Abdomen, lesions: Field, c: Contrast) -> Field:
    """Lay the structures over each other from the skin inwards."""
    span = c.fat - c.air if c.air < 0 else 1.0

    def tone(value: float) -> float:
        """The tissue's intensity in this patient."""
        return value + (rng.normal(0, 8) if span > 1 else value * rng.normal(0, 0.06))

    liver = tone(c.liver)
    mottled = np.float32(c.stomach) + np.float32(tone(c.medulla) - c.stomach) * patient.bowel_content
    layers: list[tuple[Field, float | Field]] = [
        (patient.body, tone(c.fat)),
        (patient.muscle, tone(c.muscle)),
        (patient.cavity, tone(c.fat) * 0.97),
        (patient.ribs, tone(c.bone)),
        (patient.psoas, tone(c.muscle)),
        (patient.vertebra, tone(c.bone)),
        (patient.canal, tone(c.fluid)),
        (patient.lungs, c.lung),
        (patient.spleen, tone(c.spleen)),
        (patient.bowel, tone(c.muscle) * 1.1),
        (patient.bowel * 1.7, mottled),
        (patient.stomach, tone(c.muscle) * 1.15),
        (patient.stomach * 1.25, tone(c.stomach)),
        (patient.stomach_gas, c.lung),
        (patient.aorta, tone(c.blood)),
        (patient.cava, tone(c.blood)),
        (patient.liver, liver),
        (np.maximum(patient.liver * 1.15, patient.vessels), liver + 0.6 * (c.blood - c.liver)),
        (np.maximum(patient.liver, lesions), tone(c.lesion)),
        (patient.gallbladder, tone(c.fluid)),
        (patient.kidneys, tone(c.cortex)),
        (patient.kidney_core, tone(c.medulla)),
    ]
    picture = np.full(patient.body.shape, c.air, np.float32)
    for field, value in layers:
        cover = np.clip((1 + _EDGE - field) / np.float32(2 * _EDGE), 0, 1)
        picture += cover * (value - picture)
    return picture


def _acquire(rng: np.random.Generator, picture: Field, c: Contrast, at: Sequence[Field], *, is_ct: bool) -> npt.NDArray[np.int16]:
    """What a scanner makes of it: texture, then for MR coil shading, Rician noise and an arbitrary scale."""
    texture = 0.5 * c.noise * smooth_field(rng, at, cycles=9, terms=6)
    level = c.noise * float(rng.uniform(0.7, 1.5))
    noise = level * 1.6 * ndimage.gaussian_filter(rng.standard_normal(picture.shape, np.float32), 0.55)
    if is_ct:
        return _whole(np.clip(picture + noise + 0.3 * texture, -1024, 3071))
    shading = np.exp(float(rng.uniform(0.08, 0.2)) * smooth_field(rng, at, cycles=0.8))
    real = (picture + texture * (picture > 2 * c.noise)) * shading + noise
    imaginary = level * rng.standard_normal(picture.shape, np.float32)
    scale = float(rng.uniform(0.6, 2.5))
    return _whole(np.hypot(real, imaginary) * scale)


def _whole(picture: Field) -> npt.NDArray[np.int16]:
    return np.asarray(np.round(picture), np.int16)
