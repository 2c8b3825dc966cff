"""Masks made elsewhere, as they arrive: raw or gzip bytes of uint8 voxels, bounded before they are inflated."""

import zlib
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, Header
from starlette.requests import Request

from medloop.core.arrays import MaskArray
from medloop.core.errors import FormatError, ShapeError
from medloop.core.geometry import MAX_AXIS, Shape3
from medloop.core.records import Assignment, Case
from medloop.server.web.site import WorkspaceHere
from medloop.server.wire.schemas import Id

_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
RAW_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _BINARY}}
"""How OpenAPI describes a raw body."""

_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def raw_body(request: Request) -> bytes:
    """The request's bytes, bounded by `medloop.server.web.security`."""
    return await request.body()


def uploaded_mask(
    workspace: WorkspaceHere,
    assignment: Id,
    body: Annotated[bytes, Depends(raw_body)],
    x_shape: Annotated[str, Header(max_length=32, description="I,J,K of the mask; must be the case's.")],
    content_encoding: Annotated[str, Header(max_length=32, description="gzip, or nothing.")] = "",
) -> MaskArray:
    """The mask of a request, shape (I, J, K), checked against its case.

    Raises:
        ShapeError: Another shape than the case's.
        FormatError: More or fewer bytes than voxels, or damaged gzip.
    """
    shape = _parsed_shape(x_shape)
    case = workspace.store.get(Case, workspace.store.get(Assignment, assignment).case_id)
    if shape != case.grid.shape:
        raise ShapeError(f"The mask of {case.name} must have shape {case.grid.shape}, got {shape}", remedy="send it on the case's grid")
    raw = _inflated(body, case.grid.voxels) if content_encoding.lower() in ("gzip", "x-gzip") else body
    if len(raw) != case.grid.voxels:
        got = f"more than {case.grid.voxels}" if len(raw) > case.grid.voxels else str(len(raw))
        raise FormatError(f"A mask of shape {shape} has {case.grid.voxels} bytes, got {got}", remedy="send one byte per voxel")
    return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F")


def _parsed_shape(text: str) -> Shape3:
    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().isascii() and p.strip().isdigit() and len(p) <= 8 for p in parts):
        raise ShapeError(f"X-Shape names three lengths such as 64,64,48, got {text[:32]!r}")
    shape = (int(parts[0]), int(parts[1]), int(parts[2]))
    if min(shape) < 1 or max(shape) > MAX_AXIS:
        raise ShapeError(f"Every length of X-Shape lies between 1 and {MAX_AXIS}, got {text!r}")
    return shape


def _inflated(data: bytes, expected: int) -> bytes:
    """At most one byte more than expected, so that a bomb costs nothing."""
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        raw = inflate.decompress(data, expected + 1)
        # The checksum at the end is only read when there is room for one more byte.
        raw += inflate.decompress(inflate.unconsumed_tail, 1) if len(raw) <= expected else b""
    except zlib.error as error:
        raise FormatError(f"The mask's gzip is damaged: {error}", remedy="send it again") from error
    if len(raw) == expected and not inflate.eof:
        raise FormatError("The mask's gzip ends too early", remedy="send it again")
    return raw
