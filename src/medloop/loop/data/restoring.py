"""A damaged image comes back from its own file: the same voxels are the same bytes under the same name."""

import numpy as np

from medloop.core.errors import BlobError, IntegrityError, NotFoundError
from medloop.core.image import Image
from medloop.core.records import Case
from medloop.images.encode import encode_voxels
from medloop.loop.data.cases import storable
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace


def restore_voxels(workspace: Workspace, case: Case, image: Image) -> bool:
    """Store the voxels of a case anew if their blob is damaged or gone.

    Args:
        workspace: The project.
        case: Known from before.
        image: Read from the file that the case was made of.

    Returns:
        Whether they are whole again and were not before.
    """
    try:
        workspace.store.blobs.check(case.voxels)
    except BlobError:
        return workspace.store.blobs.put(encode_voxels(storable(image))) == case.voxels
    return False


def has_voxels(workspace: Workspace, case: Case, image: Image) -> bool:
    """Whether a case has the very voxels of an image at the same place, whatever file they came from.

    An image that was exported here, or packed again, is another file and the same image.
    """
    if (image.channels, image.grid.shape) != (case.channels, case.grid.shape) or not image.grid.same_as(case.grid):
        return False
    try:
        return np.array_equal(load_image(workspace.store.blobs, case).array, storable(image))
    except (IntegrityError, NotFoundError):
        return False
