"""What all federations of a project together have cost each of its patients: one line each in a file of the project's folder.

Within a federation Opacus counts what its steps cost; over several the costs add up: ε to ε and δ to δ, whatever was trained in between.

Source: basic composition, Dwork and Roth 2014, The Algorithmic Foundations of Differential Privacy, theorem 3.16.
"""

import json

from medloop.core.errors import FormatError
from medloop.core.names import counted
from medloop.core.records import Json, Model, now
from medloop.images.files import write_atomic
from medloop.loop.foundation.model_choices import FEDERATION
from medloop.loop.foundation.workspace import Workspace

FILE = "federated-privacy.json"


def account_of(workspace: Workspace) -> dict[str, Json]:
    """Federation → what its updates have cost so far; ε None where one left without noise.

    Raises:
        FormatError: The file is damaged; nothing is counted as free.
    """
    file = workspace.folder / FILE
    before = _before(workspace)
    if not file.exists():
        return before
    try:
        found = json.loads(file.read_text())
        return before | {
            str(name): {"epsilon": one["epsilon"], "delta": float(one["delta"]), "at": str(one["at"])} for name, one in found.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        rule = f"{file} says what federations have cost, and cannot be read ({error})"
        raise FormatError(rule, remedy="restore it from a backup") from error


def _before(workspace: Workspace) -> dict[str, Json]:
    """What the project's models say of their federations: those of before there was an account stand nowhere else."""
    with workspace.store.read() as tx:
        models = [one for one in tx.find(Model, order=("index",)) if one.metrics.get(FEDERATION) and one.metrics.get("steps")]
    found: dict[str, Json] = {}
    for one in models:
        told = one.metrics[FEDERATION]
        cost = told.get("privacy") or {}
        found[str(told["id"])] = {"epsilon": cost.get("epsilon"), "delta": float(cost.get("delta", 0.0)), "at": str(one.created_at)}
    return found


def enter(workspace: Workspace, federation: str, cost: Json) -> None:
    """Write what a federation has cost with its next update, before that leaves; {} is an update without noise.

    Raises:
        FormatError: As `account_of`.
        StorageError: The disk refused.
    """
    known = account_of(workspace)
    before = known.get(federation)
    bounded = bool(cost) and (before is None or before["epsilon"] is not None)
    most = max(cost["epsilon"], before["epsilon"] if before else 0.0) if bounded else None
    told = {"epsilon": most, "delta": cost.get("delta", 0.0), "at": now()}
    write_atomic(workspace.folder / FILE, json.dumps({**known, federation: told}, indent=1).encode(), mode=0o600)


def summed(account: dict[str, Json]) -> Json:
    """All federations together: `epsilon` and `delta` of those with noise, how many these are, and how many had none."""
    private = [one for one in account.values() if one["epsilon"] is not None]
    return {
        "epsilon": round(sum(one["epsilon"] for one in private), 4),
        "delta": sum(one["delta"] for one in private),
        "federations": len(private),
        "without_noise": len(account) - len(private),
    }


def account_words(total: Json) -> str:
    """The account in words."""
    parts = []
    if total["federations"]:
        over = counted(total["federations"], "federation")
        parts.append(f"ε {total['epsilon']:.2f} at δ {total['delta']:g} for each patient over {over}")
    if total["without_noise"]:
        parts.append(f"{counted(total['without_noise'], 'federation')} without noise, which nothing bounds")
    return "; ".join(parts) or "nothing, no update has left it"
