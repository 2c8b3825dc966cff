"""Settings and the task change over REST, all or nothing, on the version that the caller knows."""


def test_settings_come_with_meaning_and_range(site) -> None:
    shown = site.client.get(f"{site.url}/settings").json()
    batch = next(s for s in shown["settings"] if s["name"] == "batch_size")
    assert (batch["value"], batch["default"], batch["low"], batch["high"], batch["applies"]) == (2, 4, 1, 10_000, "next query")
    assert shown["task"]["version"] == 1
    assert [x["name"] for x in shown["task"]["labels"]] == ["large", "small"]


def test_settings_change_together_or_not_at_all(site) -> None:
    answer = site.client.patch(f"{site.url}/settings", json={"changes": {"batch_size": 5, "samples": 0}})
    assert answer.status_code == 422
    assert "samples must lie between 1 and 100, got 0" in answer.json()["error"]["message"]
    assert site.client.get(site.url).json()["settings"]["batch_size"] == 2
    changed = site.client.patch(f"{site.url}/settings", json={"changes": {"batch_size": 5, "samples": 3}}).json()["changes"]
    assert [(c["what"], c["after"]) for c in changed] == [("batch_size", "5"), ("samples", "3")]
    assert site.client.get(site.url).json()["settings"]["batch_size"] == 5


def test_the_change_names_the_person(site) -> None:
    site.client.patch(f"{site.url}/settings", json={"changes": {"samples": 3}}, headers={"X-Annotator": "Ann"})
    with site.workspace.store.read() as tx:
        last = [e for e in tx.events(limit=1000) if e.verb == "configure"][-1]
        people = {e.noun_id: e for e in tx.events(limit=1000) if e.noun == "annotator"}
    assert last.actor in people


def test_labels_are_renamed_and_added_but_not_removed_and_stale_pages_are_told(site) -> None:
    labels = [{"value": 1, "name": "liver", "colour": "#102030"}, {"value": 2, "name": "small"}, {"value": None, "name": "cyst"}]
    done = site.client.patch(f"{site.url}/task", json={"version": 1, "name": "Livers", "labels": labels})
    assert done.status_code == 200, done.text
    task = site.client.get(f"{site.url}/settings").json()["task"]
    assert [(x["value"], x["name"]) for x in task["labels"]] == [(1, "liver"), (2, "small"), (3, "cyst")]
    assert task["labels"][0]["colour"] == "#102030"
    late = site.client.patch(f"{site.url}/task", json={"version": 1, "instructions": "old page"})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")
    fewer = site.client.patch(f"{site.url}/task", json={"version": 2, "labels": [{"value": 1, "name": "liver"}]})
    assert fewer.status_code == 422
    assert "never removed" in fewer.json()["error"]["message"]
    assert site.client.get(site.url).json()["name"] == "Livers"
