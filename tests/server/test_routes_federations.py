"""The federations of a project over REST, as its models keep them."""

from medloop.core.records import Model, Snapshot, new_id, now

UPDATE = {"site": "north", "cases": 2, "norm": 1.5, "loss": 0.4, "steps": 4}
ROUND = {"round": 1, "seconds": 9.0, "sites": [UPDATE], "left_out": {"west": "it left"}}
FACTS = {"id": "f1", "round": 1, "rounds": 2, "sites": ["north"], "strategy": "fedavg", "local_norm": False, "cases": 2, "left_out": 1}
TOLD = {**FACTS, "terms": {"steps": 4}, "held": [ROUND]}


def test_rounds_sites_and_who_was_left_out_are_read_and_old_results_have_none(site):
    assert site.client.get(f"{site.url}/federations").json()["federations"] == []
    with site.workspace.store.write("test") as tx:
        for index, told in ((1, TOLD), (2, {key: value for key, value in TOLD.items() if key not in ("held", "terms")})):
            snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest=str(index) * 64, created_at=now())
            tx.add(snapshot, verb="freeze")
            facts = {"recipe": {}, "weights": (), "metrics": {"federation": told}, "created_at": now()}
            tx.add(Model(id=new_id("model"), index=index, snapshot_id=snapshot.id, **facts), verb="federate")
    found = site.client.get(f"{site.url}/federations").json()
    old, first = found["federations"]
    assert (old["model_index"], old["rounds"], old["terms"]) == (2, [], {})
    assert (first["sites"], first["rounds_held"], first["rounds_planned"]) == (["north"], 1, 2)
    (held,) = first["rounds"]
    assert held["sites"] == [{"site": "north", "cases": 2, "norm": 1.5, "loss": 0.4, "epsilon": None}]
    assert (held["left_out"], held["missing"]) == ({"west": "it left"}, [])
    assert found["account"]["federations"] == 0
