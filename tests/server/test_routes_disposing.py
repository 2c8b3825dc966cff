"""A stream in production over REST: the decisions, the rule, and what a lead does about it."""

from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.disposed import note_stream
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


def test_the_decisions_stand_in_their_list_and_in_the_worklist_and_can_be_recalled(site: Site) -> None:
    workspace = site.workspace
    configure(workspace, settings={"stream_risk": 0.3, "stream_sure": 0.6, "stream_good": 0.6, "stream_hard": 0.2})
    workspace = workspace.reload()
    model = judged_model(workspace, training=8, evaluated=0)
    evaluate(workspace, model, range(500, 512))
    note_stream(workspace)
    arrive(workspace, model, range(100, 103))
    arrive(workspace, model, range(110, 112), "audit")
    dispose_arrivals(workspace)
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
