"""A made-up abdomen as implicit functions: where each structure lies, in body coordinates.

Body coordinates: x to the patient's right, y anterior, z superior, each from about -1 to 1 over the
field of view. A structure is a field of the grid's shape that is below 1 inside and above 1 outside,
like the left side of an ellipsoid's equation; this makes unions, dents and soft edges one line each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Abdomen:
    """The structures of one made-up patient, each a field of the grid's shape, below 1 inside."""

    body: Field
    muscle: Field
    cavity: Field
    ribs: Field
    vertebra: Field
    canal: Field
    psoas: Field
    aorta: Field
    cava: Field
    lungs: Field
    liver: Field
    vessels: Field
    lesions: Field
    spleen: Field
    stomach: Field
    stomach_gas: Field
    gallbladder: Field
    kidneys: Field
    kidney_core: Field
    bowel: Field
    bowel_content: Field


def smooth_field(rng: np.random.Generator, at: Sequence[Field], *, cycles: float, terms: int = 4) -> Field:
    """A random smooth field with a standard deviation near 1: a sum of plane waves.

    Args:
        rng: Source of directions and phases.
        at: Coordinates x, y, z.
        cycles: Waves per field of view; higher is rougher.
        terms: Waves added.
    """
    total = np.zeros(np.broadcast_shapes(*(a.shape for a in at)), np.float32)
    for _ in range(terms):
        wave = rng.normal(size=3) * (cycles * np.pi / np.sqrt(3))
        phase = wave[0] * at[0] + wave[1] * at[1] + wave[2] * at[2] + rng.uniform(0, 2 * np.pi)
        total += np.cos(phase.astype(np.float32))
    return total * np.float32(np.sqrt(2 / terms))


def warp(rng: np.random.Generator, at: Sequence[Field], *, amount: float, cycles: float) -> tuple[Field, Field, Field]:
    """Coordinates pushed by a random smooth field of about `amount` in each direction."""
    x, y, z = (a + np.float32(amount) * smooth_field(rng, at, cycles=cycles) for a in at)
    return x, y, z


def ellipsoid(at: Sequence[Field], centre: Point, radii: Point) -> Field:
    """The field of an ellipsoid along the axes."""
    x, y, z = (np.square((a - np.float32(c)) / np.float32(r)) for a, c, r in zip(at, centre, radii, strict=True))
    return np.asarray(x + y + z, np.float32)


def column(at: Sequence[Field], centre: tuple[float, float], radius: float) -> Field:
    """The field of an endless cylinder along z."""
    x, y = (np.square((a - np.float32(c)) / np.float32(radius)) for a, c in zip(at, centre, strict=False))
    return np.asarray(x + y, np.float32)


def join(*fields: Field) -> Field:
    """Union of structures, rounded where they meet."""
    return (sum(f**-4 for f in (np.maximum(f, 1e-2) for f in fields)) ** -0.25).astype(np.float32)


def draw_abdomen(rng: np.random.Generator, at: Sequence[Field]) -> Abdomen:
    """Sample one patient: pose, size, smooth deformation, and every structure."""
    at = warp(rng, _posed(rng, at), amount=0.035, cycles=1.2)
    x, y, z = at
    body = np.abs(x / np.float32(0.88)) ** 2.5 + np.abs(y / np.float32(0.70)) ** 2.5
    muscle = np.abs(x / np.float32(rng.uniform(0.76, 0.82))) ** 2.4 + np.abs(y / np.float32(rng.uniform(0.58, 0.63))) ** 2.4
    cavity = (x / np.float32(0.70)) ** 2 + ((y - np.float32(0.04)) / np.float32(0.50)) ** 2
    dome = z - np.float32(0.55) + np.float32(0.45) * (x**2 + (y - np.float32(0.1)) ** 2)
    kidneys, core = _kidneys(rng, at)
    gallbladder = ellipsoid(at, _near(rng, (0.27, 0.24, -0.18), 0.04), (0.06, 0.09, 0.11))
    liver = np.maximum(_liver(rng, at), np.maximum(1.12 * cavity, 1 + 2 * dome))
    liver = np.maximum(liver, 2.1 - np.minimum(kidneys, gallbladder))
    stomach = ellipsoid(warp(rng, at, amount=0.04, cycles=2), _near(rng, (-0.30, 0.16, 0.16), 0.05), (0.21, 0.19, 0.30))
    loops, content = _bowel(rng, at, np.minimum(liver, kidneys))
    return Abdomen(
        body=body,
        muscle=muscle,
        cavity=cavity,
        ribs=_ribs(rng, at, cavity),
        vertebra=_vertebra(at),
        canal=column(at, (0.0, -0.475), 0.05),
        psoas=join(column(at, (0.19, -0.37), 0.09), column(at, (-0.19, -0.37), 0.09)) + np.maximum(z + np.float32(0.2), 0),
        aorta=column(at, (-0.05, -0.19), rng.uniform(0.045, 0.06)),
        cava=column(at, (0.09, -0.17), rng.uniform(0.05, 0.065)),
        lungs=np.maximum(1.1 * cavity, 1 - 3 * dome),
        liver=liver,
        vessels=_vessels(rng, at),
        lesions=_lesions(rng, at),
        spleen=np.maximum(_spleen(rng, at), 1 + 2 * dome),
        stomach=stomach,
        stomach_gas=np.maximum(stomach * 1.3, 1 - 6 * (y - np.float32(rng.uniform(0.16, 0.3)))),
        gallbladder=gallbladder,
        kidneys=kidneys,
        kidney_core=core,
        bowel=loops,
        bowel_content=content,
    )


def _posed(rng: np.random.Generator, at: Sequence[Field]) -> tuple[Field, Field, Field]:
    """Turn a little about each axis, shift and scale."""
    a, b, c = rng.normal(0, [0.03, 0.03, 0.06])
    turn = np.array([[1, -c, b], [c, 1, -a], [-b, a, 1]]) / rng.uniform(0.98, 1.12)
    turn = turn.astype(np.float32)
    shift = rng.normal(0, [0.03, 0.03, 0.08]).astype(np.float32)
    x, y, z = at
    moved = [np.asarray(row[0] * x + row[1] * y + row[2] * z + by, np.float32) for row, by in zip(turn, shift, strict=True)]
    return moved[0], moved[1], moved[2]


def _near(rng: np.random.Generator, centre: Point, spread: float) -> Point:
    x, y, z = rng.normal(centre, spread)
    return (float(x), float(y), float(z))


def _liver(rng: np.random.Generator, at: Sequence[Field]) -> Field:
    """A big lobe on the right and a thin one across the midline."""
    bent = warp(rng, at, amount=rng.uniform(0.03, 0.07), cycles=2.2)
    size = rng.uniform(0.85, 1.12)
    right = ellipsoid(bent, _near(rng, (0.36, 0.03, 0.10), 0.03), (0.36 * size, 0.42 * size, 0.62 * size))
    left = ellipsoid(bent, _near(rng, (0.0, 0.27, 0.22), 0.05), (0.40 * size, 0.17 * size, 0.27 * size))
    return join(right, left)


def _kidneys(rng: np.random.Generator, at: Sequence[Field]) -> tuple[Field, Field]:
    """Two beans beside the spine, and their cores; the dent faces the midline."""
    outer, inner = [], []
    for side in (1.0, -1.0):
        bent = warp(rng, at, amount=0.025, cycles=2.5)
        x, y, z = _near(rng, (0.36 * side, -0.20, -0.28 - 0.06 * side), 0.03)
        size = rng.uniform(0.88, 1.15)
        bean = ellipsoid(bent, (x, y, z), (0.135 * size, 0.155 * size, 0.32 * size))
        dent = ellipsoid(bent, (x - side * 0.14 * size, y + 0.05, z), (0.11, 0.11, 0.13))
        outer.append(bean + 0.9 * np.exp(-dent))
        inner.append(bean * 2.6 + 0.3 * smooth_field(rng, at, cycles=5))
    return np.minimum(*outer), np.minimum(*inner)


def _spleen(rng: np.random.Generator, at: Sequence[Field]) -> Field:
    bent = warp(rng, at, amount=0.03, cycles=2.5)
    size = rng.uniform(0.8, 1.15)
    return ellipsoid(bent, _near(rng, (-0.50, -0.08, 0.26), 0.03), (0.13 * size, 0.26 * size, 0.30 * size))


def _vertebra(at: Sequence[Field]) -> Field:
    arch = ellipsoid((at[0], at[1], at[2] * 0), (0.0, -0.475, 0.0), (0.11, 0.085, 1.0))
    spine = ellipsoid((at[0], at[1], at[2] * 0), (0.0, -0.56, 0.0), (0.03, 0.08, 1.0))
    return np.minimum(np.minimum(column(at, (0.0, -0.34), 0.125), arch), spine)


def _ribs(rng: np.random.Generator, at: Sequence[Field], cavity: Field) -> Field:
    """Slanting bars in the wall around the cavity, at the sides and the back."""
    angle = np.arctan2(at[1], np.abs(at[0]))
    slant = np.sin(11 * at[2] + 4 * angle + np.float32(rng.uniform(0, 6)))
    shell = ((cavity - 1.22) / np.float32(0.15)) ** 2
    bars = np.maximum(shell, 1 + 3 * (0.55 - slant))
    return np.asarray(np.maximum(bars, 1 + (angle - np.float32(0.9)) * 4), np.float32)


def _vessels(rng: np.random.Generator, at: Sequence[Field]) -> Field:
    """Thin winding tubes: where two smooth fields vanish together."""
    first, second = (smooth_field(rng, at, cycles=3.0) for _ in range(2))
    return np.asarray((first**2 + second**2) / 0.055, np.float32)


def _lesions(rng: np.random.Generator, at: Sequence[Field]) -> Field:
    """Up to three round spots somewhere in the liver's region; most patients have none."""
    count = int(rng.choice([0, 0, 0, 1, 2, 3]))
    field = np.full(np.broadcast_shapes(*(a.shape for a in at)), 9.0, np.float32)
    for _ in range(count):
        radius = rng.uniform(0.05, 0.11)
        field = np.minimum(field, ellipsoid(at, _near(rng, (0.38, 0.05, 0.15), 0.14), (radius, radius, radius * 1.2)))
    return field


def _bowel(rng: np.random.Generator, at: Sequence[Field], organs: Field) -> tuple[Field, Field]:
    """Loops in the lower front, pushed aside by the organs, and what fills each of them (0..1)."""
    loops = np.full(organs.shape, 9.0, np.float32)
    content = np.zeros(organs.shape, np.float32)
    bent = warp(rng, at, amount=0.05, cycles=2.5)
    for _ in range(16):
        centre = (rng.uniform(-0.55, 0.45), rng.uniform(-0.08, 0.38), rng.uniform(-1.1, 0.25))
        radii = rng.uniform(0.08, 0.2, size=3)
        loop = ellipsoid(bent, centre, (radii[0], radii[1], radii[2] * 1.6))
        content = np.where(loop < loops, np.float32(rng.uniform()), content)
        loops = np.minimum(loops, loop)
    return np.maximum(loops, 2.2 - organs), content
