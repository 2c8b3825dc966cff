"""A stream in production over REST: the decisions, the rule, and what a lead does about it."""

import numpy as np

from medloop.core.records import Case
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.gold import add_gold
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.disposed import note_stream
from medloop.loop.foundation.trials import blind_among
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.acquisition_checks import check_cases
from medloop.loop.querying.disposing import dispose_arrivals
from medloop.server.routes.cases import _arrival

from ..loop.made_up import case_named
from ..loop.shifted import judged_model
from ..loop.streamed import arrive, evaluate
from .conftest import Site


def test_without_a_stream_nothing_is_on_and_nothing_can_be_renewed_or_recalled(site: Site) -> None:
    found = site.client.get(f"{site.url}/dispositions").json()
    assert (found["on"], found["rule"], found["cases"]) == (False, None, [])
    for verb in ("renew", "recall"):
        assert site.client.post(f"{site.url}/dispositions/{verb}", json={"why": "x"}).status_code == 409
        assert site.client.post(f"{site.url}/dispositions/{verb}", json={"why": ""}).status_code == 422


def streamed(site: Site) -> Workspace:
    """Three cases and two of the audit sample have arrived and are decided."""
    configure(site.workspace, settings={"stream_risk": 0.3, "stream_sure": 0.6, "stream_good": 0.6, "stream_hard": 0.2})
    workspace = site.workspace.reload()
    model = judged_model(workspace, training=8, evaluated=0)
    evaluate(workspace, model, range(500, 512))
    note_stream(workspace)
    arrive(workspace, model, range(100, 103))
    arrive(workspace, model, range(110, 112), "audit")
    dispose_arrivals(workspace)
    return workspace


def test_what_a_model_makes_of_the_audit_sample_is_shown_nowhere_before_it_is_read(site: Site) -> None:
    workspace = streamed(site)
    blind = case_named(workspace, "A110")
    triage = site.client.get(f"{site.url}/triage", params={"risk": 0.3}).json()["found"]
    names = {one["name"] for one in triage["cases"]}
    assert ("A100" in names, names & {"A110", "A111"}) == (True, set())
    assert triage["promise"].endswith("2 cases of the audit sample not listed, read blind")
    check_cases(workspace)
    rows = {row["name"]: row["acquisition"] for row in site.client.get(f"{site.url}/cases").json()["rows"]}
    assert (rows["A100"] != "", rows["A110"]) == (True, "")
    judged = site.client.get(f"{site.url}/cases", params={"acquisition": "judged"}).json()["rows"]
    assert {"A110", "A111"}.isdisjoint(row["name"] for row in judged)
    assert site.client.get(f"{site.url}/cases/{blind.id}/measures").status_code == 409
    refused = site.client.get(f"{site.url}/cases/{blind.id}/hypotheses")
    assert refused.status_code in (403, 503)
    with workspace.store.read() as tx:
        assert blind_among(tx, [case.id for case in tx.find(Case)]) == {blind.id, case_named(workspace, "A111").id}


def test_a_gold_case_that_may_still_come_to_somebody_does_not_look_annotated_in_the_list_of_decisions(site: Site) -> None:
    workspace = streamed(site)
    opened = open_case(workspace, case_named(workspace, "A100").id, annotator_named(workspace, "Rita").id)
    mask = np.zeros(opened.case.grid.shape, np.uint8)
    mask[: mask.shape[0] // 2] = 1
    submit(workspace, opened.assignment.id, Submitted(mask=mask))
    add_gold(workspace, opened.case.id, annotator_id=annotator_named(workspace, "Rita").id)
    configure(workspace, settings={"gold_rate": 0.5})

    def annotated(who: str) -> bool:
        found = site.client.get(f"{site.url}/dispositions", headers={"X-Annotator": who}).json()["cases"]
        return next(one["annotated"] for one in found if one["name"] == "A100")

    assert (annotated("Rita"), annotated("Ann")) == (True, False)


def test_the_decisions_stand_in_their_list_and_in_the_worklist_and_can_be_recalled(site: Site) -> None:
    workspace = streamed(site)
    found = site.client.get(f"{site.url}/dispositions").json()
    decided = {one["name"]: one["decision"] for one in found["cases"]}
    assert {decided["A110"], decided["A111"]} == {""}
    assert "accepted" in decided.values()
    assert found["rule"]["curve"]
    assert found["rule"]["words"] in found["words"]
    reasons = {row["name"]: row["reason"] for row in site.client.get(f"{site.url}/cases").json()["rows"]}
    assert all(reasons[name].startswith(decision) for name, decision in decided.items() if decision)
    assert (reasons["A110"], reasons["A111"]) == ("", "")
    sent = _arrival(workspace, case_named(workspace, "A110"), "")
    assert (sent.decision, sent.note) == ("", "audit sample: what was decided shows once people have read it")
    for name, shown in (("A110", False), (next(n for n, d in decided.items() if d == "accepted"), True)):
        case = case_named(workspace, name).id
        assert (site.client.get(f"{site.url}/cases/{case}/look").json()["prediction"] is not None) is shown, name
    opened = site.client.post(f"{site.url}/cases/{case_named(workspace, 'A111').id}/open", json={}).json()
    assert (opened["prediction"], opened["previous"]) == (None, None)
    recalled = site.client.post(f"{site.url}/dispositions/recall", json={"why": "to look at them"}).json()["cases"]
    assert recalled == found["unread"] > 0
    assert site.client.post(f"{site.url}/dispositions/renew", json={"why": "more"}).json()["rule"] is None
