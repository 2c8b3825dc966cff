"""Projects of films: a bright disc that moves over speckle that stays."""

import numpy as np
from scipy import ndimage

from medloop.core.arrays import BoolArray, ImageArray
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Display, Source, Split, new_id
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace

SIDE = 40
FRAMES = 8


def film(frames: int = FRAMES, *, step: float = 1.0) -> tuple[ImageArray, BoolArray]:
    """Pictures (1, I, J, K), uint8, and where the disc is, (I, J, K)."""
    rng = np.random.default_rng(3)
    speckle = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 1.5) * 60
    x, y = np.mgrid[:SIDE, :SIDE]
    inside = np.stack([(x - 14 - step * n) ** 2 + (y - 20) ** 2 <= 36 for n in range(frames)], axis=-1)
    pictures = np.where(inside, 190, 60 + speckle[..., None])
    return np.clip(pictures, 0, 255).astype(np.uint8)[None], inside


def add_film(workspace: Workspace, name: str = "loop", *, frames: int = FRAMES, split: Split = "train", timed: bool = True) -> Case:
    """One film in a project; its frames are 40 ms apart where it is timed."""
    pictures, _ = film(frames)
    display = Display(modality="US", oriented=False, over_time=True, frame_seconds=tuple(n * 0.04 for n in range(frames)) if timed else ())
    source = Source(format="dicom", names=(f"{name}.dcm",), sha256=new_id("made"), display=display)
    image = Image(pictures, Grid((SIDE, SIDE, frames), np.diag([-0.5, -0.5, 1.0, 1.0])))
    return add_case(workspace, image, NewCase(name=name, patient=name, split=split, source=source))
