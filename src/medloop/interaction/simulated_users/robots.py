"""Simulated users: what a person would point at next, given the truth and the answer so far.

A robot sees truth and answer, and makes one gesture or none. All its chance comes from the generator it is handed, so a seed
replays a session. Robots for training and for tests are different people: a network that has rehearsed with the very user that
tests it flatters itself, so each robot has one role and `training_robot` and `test_robot` give no other.

Source: rule of the centre click from the CVPR 2025 challenge on interactive 3D segmentation (largest 26-connected error, deepest voxel).
Real people do not click like that (arXiv:2404.01816), hence the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import NotFoundError, SettingError
from medloop.core.geometry import triple
from medloop.interaction.prompts import Box, Point, Prompt, Scribble, Voxel, exact_voxels
from medloop.interaction.simulated_users.mistakes import Mistake, Places, depths, find_mistakes, largest_mistake, wrong_voxels

Role: TypeAlias = Literal["training", "test"]


@dataclass(frozen=True, eq=False)
class Scene:
    """What a user looks at.

    Attributes:
        truth: Label values, shape (I, J, K); 255 where nobody knows.
        mask: The answer so far, likewise.
        given: Prompts so far, in order.
    """

    truth: MaskArray
    mask: MaskArray
    given: tuple[Prompt, ...] = ()


class Robot(Protocol):
    """A simulated user."""

    @property
    def name(self) -> str:
        """Its key in `ROBOTS`."""
        ...

    @property
    def role(self) -> Role:
        """Whether it teaches or tests."""
        ...

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """The next gesture; None when the user sees nothing worth one."""
        ...


@dataclass(frozen=True)
class CentreClicker:
    """Clicks the deepest voxel of the largest error; of equally deep ones `rng` takes one."""

    name: str = "centre"
    role: Role = "test"

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        part = largest_mistake(scene.truth, scene.mask)
        if part is None:
            return None
        depth = depths(part.inside)
        deepest = np.argwhere(depth >= depth.max() - 1e-9)
        return point_at(scene, part.voxel(deepest[int(rng.integers(len(deepest)))]))


@dataclass(frozen=True)
class RandomClicker:
    """Clicks anywhere in any error, deep voxels rather: P ∝ depth^power."""

    name: str = "random"
    role: Role = "test"
    power: float = 2.0

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        voxel = _draw_deep(wrong_voxels(scene.truth, scene.mask), self.power, rng)
        return None if voxel is None else point_at(scene, voxel)


@dataclass(frozen=True)
class NoisyClicker:
    """Means the deepest voxel of the largest error, but the hand shakes and one sign in twenty is wrong.

    Attributes:
        jitter: Standard deviation of the click per axis, in voxels.
        wrong: Share of clicks with the wrong sign.
    """

    name: str = "noisy"
    role: Role = "test"
    jitter: float = 1.0
    wrong: float = 0.05

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        meant = CentreClicker().act(scene, rng)
        if not isinstance(meant, Point):
            return None
        voxel = _free_voxel(scene, meant.voxel, self.jitter, rng)
        return None if voxel is None else Point(voxel, meant.label, meant.positive != (rng.random() < self.wrong))


@dataclass(frozen=True)
class LazyClicker:
    """Acts on large errors only, and sometimes not even then.

    Attributes:
        share: Smallest error worth a click, as a share of the structure's voxels.
        idle: Chance to do nothing.
    """

    name: str = "lazy"
    role: Role = "test"
    share: float = 0.03
    idle: float = 0.2

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        part = largest_mistake(scene.truth, scene.mask)
        structure = np.count_nonzero((scene.truth > 0) & (scene.truth != UNKNOWN))
        idle = rng.random() < self.idle
        if part is None or idle or part.size < self.share * structure:
            return None
        return CentreClicker().act(scene, rng)


@dataclass(frozen=True)
class Scribbler:
    """Draws along the middle of the largest error, on the slice where it is widest.

    Attributes:
        longest: Voxels of a stroke at most.
    """

    name: str = "scribbler"
    role: Role = "test"
    longest: int = 20

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        part = largest_mistake(scene.truth, scene.mask)
        return None if part is None else stroke_along(scene, part, self.longest, rng)


@dataclass(frozen=True)
class Boxer:
    """Draws a box around the first label that the answer lacks, else clicks like the centre clicker.

    Attributes:
        margin: Voxels by which each side of a box may be off, to either side.
    """

    name: str = "boxer"
    role: Role = "test"
    margin: int = 1

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        boxed = {p.label for p in scene.given if isinstance(p, Box)}
        present = [int(v) for v in np.unique(scene.truth) if v not in (0, UNKNOWN)]
        for label in present:
            if label not in boxed and not (scene.mask == label).any():
                return box_around(scene.truth, label, self.margin, rng)
        return CentreClicker().act(scene, rng)


@dataclass(frozen=True)
class Apprentice:
    """Teaches: points somewhere in an error drawn by size, with a precision that changes from click to click.

    Attributes:
        powers: Exponents of the depth to draw from: from anywhere to nearly the middle.
        strokes: Share of scribbles.
        wrong: Share of clicks with the wrong sign, so that a network learns not to obey blindly.
    """

    name: str = "apprentice"
    role: Role = "training"
    powers: tuple[float, ...] = (0.0, 1.0, 3.0, 6.0)
    strokes: float = 0.15
    wrong: float = 0.02

    def act(self, scene: Scene, rng: np.random.Generator) -> Prompt | None:
        """See `Robot.act`."""
        parts = find_mistakes(scene.truth, scene.mask)
        if not parts:
            return None
        sizes = np.array([part.size for part in parts], dtype=np.float64)
        part = parts[int(rng.choice(len(parts), p=sizes / sizes.sum()))]
        if rng.random() < self.strokes:
            return stroke_along(scene, part, 20, rng)
        drawn = _draw_deep(part.inside, self.powers[int(rng.integers(len(self.powers)))], rng)
        point = point_at(scene, part.voxel(np.array(drawn)))
        return Point(point.voxel, point.label, point.positive != (rng.random() < self.wrong))


ROBOTS: Mapping[str, Robot] = {
    robot.name: robot for robot in (CentreClicker(), RandomClicker(), NoisyClicker(), LazyClicker(), Scribbler(), Boxer(), Apprentice())
}


def test_robot(name: str) -> Robot:
    """A robot that may test.

    Raises:
        NotFoundError: No robot has that name.
        SettingError: It teaches.
    """
    return _robot(name, "test")


test_robot.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks of the name


def training_robot(name: str) -> Robot:
    """A robot that may teach.

    Raises:
        NotFoundError: No robot has that name.
        SettingError: It tests.
    """
    return _robot(name, "training")


def _robot(name: str, role: Role) -> Robot:
    if name not in ROBOTS:
        raise NotFoundError(f"A simulated annotator is one of {', '.join(ROBOTS)}, got {name!r}")
    return require_role(ROBOTS[name], role)


def require_role(robot: Robot, role: Role) -> Robot:
    """The robot, if it has that role.

    Raises:
        SettingError: It has the other: users that train and users that test must be different people.
    """
    if robot.role != role:
        fitting = ", ".join(r.name for r in ROBOTS.values() if r.role == role)
        raise SettingError(f"{robot.name} is a {robot.role} annotator, so it cannot be a {role} annotator", remedy=f"take one of {fitting}")
    return robot


def point_at(scene: Scene, voxel: Voxel) -> Point:
    """The click that corrects one wrong voxel: its true label, or "not this" where it is background."""
    true, said = int(scene.truth[voxel]), int(scene.mask[voxel])
    return Point(voxel, true, True) if true else Point(voxel, said, False)


def box_around(truth: MaskArray, label: int, margin: int, rng: np.random.Generator) -> Box:
    """A box around a label, each side off by up to `margin` voxels; one-slice axes stay."""
    places = np.argwhere(truth == label)
    sizes = np.array(truth.shape)
    off = np.where(sizes > 1, margin, 0)
    low = np.clip(places.min(axis=0) + rng.integers(-off, off + 1), 0, sizes - 1)
    high = np.clip(places.max(axis=0) + 1 + rng.integers(-off, off + 1), low + 1, sizes)
    return Box(triple(low), triple(high), label)


def stroke_along(scene: Scene, part: Mistake, longest: int, rng: np.random.Generator) -> Prompt:
    """A scribble along the skeleton of an error's widest slice; voxels of one true label only."""
    from skimage.morphology import skeletonize

    inside = part.inside
    axis = int(np.argmin(inside.shape))
    widest = int(inside.sum(axis=tuple(a for a in range(3) if a != axis)).argmax())
    flat = np.take(inside, widest, axis=axis)
    lines = np.argwhere(skeletonize(flat))  # type: ignore[no-untyped-call]  # scikit-image does not annotate it
    if not len(lines):
        return point_at(scene, part.voxel(np.argwhere(inside)[0]))
    places = [part.voxel(np.insert(line, axis, widest)) for line in _in_order(lines)]
    points = [point_at(scene, place) for place in places]
    said = points[int(rng.integers(len(points)))]
    same = [p.voxel for p in points if (p.label, p.positive) == (said.label, said.positive)]
    return Scribble(tuple(same[:longest]), said.label, said.positive)


def _in_order(places: Places) -> Places:
    """Along their principal axis."""
    centred = places - places.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    return places[np.argsort(along, kind="stable")]


def _draw_deep(inside: BoolArray, power: float, rng: np.random.Generator) -> Voxel | None:
    places = np.argwhere(inside)
    if not len(places):
        return None
    weights = depths(inside)[tuple(places.T)] ** power
    return triple(places[int(rng.choice(len(places), p=weights / weights.sum()))])


def _free_voxel(scene: Scene, voxel: Voxel, jitter: float, rng: np.random.Generator) -> Voxel | None:
    """A voxel near by, within the image, that no prompt speaks of yet; None when ten tries find none."""
    sizes = np.array(scene.truth.shape)
    taken = {tuple(v) for prompt in scene.given for v in exact_voxels(prompt, scene.truth.shape).tolist()}
    for _ in range(10):
        moved = np.clip(np.round(np.array(voxel) + rng.normal(0, jitter, 3)), 0, sizes - 1).astype(int)
        if tuple(moved.tolist()) not in taken:
            return triple(moved)
    return None
