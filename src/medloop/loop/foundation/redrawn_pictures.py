"""Pictures that people send: decoded and written anew, so that nothing of the file but its pixels is kept."""

import io
import warnings

import PIL.Image
import PIL.ImageOps

from medloop.core.errors import FormatError

MAX_SIDE = 1600
"""Pixels along the longer side as kept; a larger picture is made smaller."""

MAX_PIXELS = 40_000_000
"""Of a picture as sent: a photograph's, and what decodes within a second."""

_DAMAGE = (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)


def redrawn(data: bytes) -> bytes:
    """The same picture as a PNG of its pixels alone, upright.

    Raises:
        FormatError: It is no PNG or JPEG, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise FormatError(
                        f"A picture may have {MAX_PIXELS:,} pixels, got {opened.width} × {opened.height}", remedy="make it smaller"
                    )
                upright = PIL.ImageOps.exif_transpose(opened).convert("RGBA" if opened.mode in ("LA", "PA", "RGBA") else "RGB")
    except _DAMAGE as error:
        raise FormatError(f"This is no PNG or JPEG picture that can be read ({error})", remedy="save it as PNG or JPEG") from error
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    upright.info.clear()  # texts and profiles of the file
    made = io.BytesIO()
    upright.save(made, "PNG", optimize=True)
    return made.getvalue()
