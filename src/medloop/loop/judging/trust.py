"""What triage may promise of a case: its risk holds for cases like those it was measured on, and for no others.

A case whose distance from the model's domain would be rare by chance, and every case of a group that drifted, is refused: a person looks,
whatever its score. Where the domain is not known (too few evaluated patients, a model without embeddings) the promise is made as before,
and it is said that nobody checked for whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medloop.core.names import counted
from medloop.core.records import Case, Model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.domain import NOTHING, Standing, Standings, described, known_domain, standings
from medloop.loop.judging.drift import Compared, compare_now

Check: TypeAlias = Literal["domain", "none"]
"""Whether triage refuses cases unlike those that the model was judged on."""


@dataclass(frozen=True, eq=False)
class Trust:
    """For which cases the risk of a triage holds.

    Attributes:
        compared: The pool beside the domain; None where that was not wanted.
        unchecked: Why no case was compared, in words; "" where they were.
    """

    compared: Compared | None
    unchecked: str

    def standing(self, case_id: str) -> Standing | None:
        """How a case stands to the domain; None where that cannot be told."""
        return self.compared.standings.get(case_id) if self.compared else None

    def why_not(self, case_id: str) -> str:
        """Why nothing is promised of a case; "" where it is."""
        if self.unchecked or self.compared is None:
            return ""
        standing, drift = self.standing(case_id), self.compared.drift_of(case_id)
        if standing is None:
            return "not compared with the cases that the model was judged on, as its image or embedding was not read: no risk is promised"
        if standing.outside:
            return f"unlike the cases that the model was judged on (p {standing.p:.3f}): no risk is promised"
        if drift is not None and drift.verdict == "drift":
            return f"{_group(drift.group)} drifted: no risk is promised for any of its cases"
        return ""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Why whole groups are refused, in words."""
        found = self.compared.drifts if self.compared and not self.unchecked else ()
        return tuple(
            f"{_group(one.group)} is refused as a whole: {one.meaning} ({counted(one.cases, 'case')} against {one.reference}; "
            f"{'; '.join(f'{test.kind} p {test.corrected:.4f}' for test in one.tests if test.shown)})"
            for one in found
            if one.verdict == "drift"
        )

    @property
    def promise(self) -> str:
        """For whom the risk holds, in words."""
        if self.unchecked:
            return f"the risk holds for cases drawn like the evaluated ones, and no case was compared with these: {self.unchecked}"
        return "the risk holds for cases drawn like the evaluated ones; cases that are unlike them are not accepted"


def trust_in(workspace: Workspace, model: Model, pool: Sequence[Case], check: Check) -> Trust:
    """Compare a pool with the domain of a model."""
    if check == "none":
        return Trust(None, "the check is switched off")
    if not pool:
        return Trust(None, "no case is predicted")
    compared = compare_now(workspace, model, pool)
    return Trust(compared, compared.domain.note)


def standing_of(workspace: Workspace, model: Model, case: Case) -> Standing | None:
    """How one case stands to the domain of a model that has predicted it; None where that cannot be told. Reads its image alone."""
    domain = known_domain(workspace, model, most=0)
    return None if domain.note else standings(domain, described(workspace, model, [case], like=domain.held_out)).get(case.id)


def pool_standings(workspace: Workspace) -> Standings:
    """How the unlabelled cases stand to the domain of the model in use, by id; nothing where that is not known. Reads no image."""
    with workspace.store.read() as tx:
        model = tx.live_model()
        pool = tx.unlabelled_cases(["train", "audit"], exclude_open=False) if model else []
    if model is None:
        return NOTHING
    domain = known_domain(workspace, model, most=0)
    return NOTHING if domain.note else standings(domain, described(workspace, model, pool, like=domain.held_out, most=0))


def _group(name: str) -> str:
    return "the pool" if name == "all" else name
