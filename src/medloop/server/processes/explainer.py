"""The assistant's side of explanations: the newest model's maps and hypotheses as JSON, voxels as base64 of gzip."""

import base64
import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medloop.core.errors import SettingError
from medloop.images.encode import encode_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.explanations import Alternatives, alternatives, explain_case

if TYPE_CHECKING:
    from medloop.explain.saliency import Saliency
    from medloop.models.inference.predict import AnyPredictor

STEPS = 127
"""A map travels as whole numbers from -127 to 127, and the value that 127 stands for."""


def explain_for(workspace: Workspace, predictor: "AnyPredictor", asked: dict[str, str]) -> dict[str, Any]:
    """What one question to the assistant asks: `what` is "saliency" (with label and method) or "hypotheses" (with most).

    Raises:
        SettingError: Another question.
        MedloopError: Whatever explaining raises.
    """
    case_id, what = asked.get("case_id", ""), asked.get("what", "")
    if what == "saliency":
        return _saliency(explain_case(workspace, case_id, predictor, label=_number(asked, "label"), method=asked.get("method", "")))
    if what == "hypotheses":
        return _alternatives(alternatives(workspace, case_id, predictor, most=_number(asked, "most")))
    raise SettingError(f"The assistant explains by saliency or hypotheses, got {what!r}")


def _number(asked: dict[str, str], name: str) -> int:
    given = asked.get(name, "")
    if not given.isdecimal():
        raise SettingError(f"{name} must be a whole number, got {given[:40]!r}")
    return int(given)


def _saliency(found: "Saliency") -> dict[str, Any]:
    largest = float(np.abs(found.map).max())
    whole = np.rint(found.map / (largest or 1.0) * STEPS).astype(np.int8)
    plain = {name: getattr(found, name) for name in ("label", "method", "score", "baseline", "gap", "start", "stop")}
    return {**plain, "map": _packed(whole), "largest": largest}


def _alternatives(found: Alternatives) -> dict[str, Any]:
    hypotheses = [
        {"mask": base64.b64encode(encode_mask(h.mask)).decode(), "weight": h.weight, "spread": h.spread} for h in found.hypotheses
    ]
    suggested = [
        {"voxel": h.voxel, "information": h.information, "change": h.change, "shares": {str(k): v for k, v in h.shares.items()}}
        for h in found.suggested_prompts
    ]
    return {"hypotheses": hypotheses, "suggested_prompts": suggested}


def _packed(array: npt.NDArray[np.int8]) -> str:
    """File order, gzip, base64."""
    return base64.b64encode(gzip.compress(array.tobytes(order="F"), 1, mtime=0)).decode()
