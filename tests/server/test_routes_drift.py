"""Whether cases that came in are like the judged ones, over REST."""

from tests.loop.shifted import add_pool, judged_model


def test_without_a_model_there_is_a_state_with_a_way_out(site) -> None:
    nothing = site.client.get(f"{site.url}/drift").json()
    assert (nothing["found"], nothing["remedy"]) == (None, "annotate some cases and train")
    assert site.client.get(f"{site.url}/drift", params={"since": "monday"}).status_code in (200, 422)


def test_an_adaptation_is_a_job_and_what_cannot_be_adapted_is_refused_at_once(site) -> None:
    refused = site.client.post(f"{site.url}/adapt", json={"by": "scanner", "value": "B"})
    assert (refused.status_code, refused.json()["error"]["remedy"]) == (422, "annotate some cases and train")
    model = judged_model(site.workspace, training=8, evaluated=12)
    add_pool(site.workspace, model, range(200, 203), contrast=-60.0, scanner="B")
    assert "no case" in site.client.post(f"{site.url}/adapt", json={"by": "stain", "value": "B"}).json()["error"]["message"].lower()
    assert "got 0 of scanner C" in site.client.post(f"{site.url}/adapt", json={"by": "scanner", "value": "C"}).json()["error"]["message"]
    assert site.client.post(f"{site.url}/adapt", json={"by": "", "value": "B"}).status_code == 422
    asked = [site.client.post(f"{site.url}/adapt", json={"by": "scanner", "value": "B"}).json()["job_id"] for _ in range(2)]
    assert asked[0] == asked[1]
    job = site.workspace.store.jobs.get(asked[0])
    assert (job.kind, job.payload) == ("adapt", {"by": "scanner", "value": "B", "way": "intensities"})
    assert site.client.post(f"{site.url}/adapt", json={"by": "all", "way": "magic"}).status_code == 422
    every = [site.client.post(f"{site.url}/adapt", json={"by": "all", "value": value}).json()["job_id"] for value in ("", "B")]
    assert every[0] == every[1]


def test_the_report_the_list_and_its_table_name_the_cases_that_are_unlike(site) -> None:
    model = judged_model(site.workspace, training=8, evaluated=12)
    add_pool(site.workspace, model, range(200, 203), contrast=-60.0, scanner="B")
    found = site.client.get(f"{site.url}/drift", params={"by": "scanner"}).json()["found"]
    groups = {group["group"]: group for group in found["groups"]}
    assert (groups["scanner B"]["verdict"], groups["scanner B"]["outside"]) == ("too few", 3)
    assert site.client.get(f"{site.url}/drift", params={"since": "monday"}).status_code == 422
    listed = site.client.get(f"{site.url}/cases", params={"domain": "outside"}).json()
    assert {row["name"] for row in listed["rows"]} == {"B200", "B201", "B202"}
    assert all(row["outside"] and row["domain_p"] <= 0.1 for row in listed["rows"])
    rows = site.client.get(f"{site.url}/cases", params={"sort": "domain"}).json()["rows"]
    known = [row["domain_p"] for row in rows if row["domain_p"] is not None]
    assert (known, [row["domain_p"] for row in rows[len(known) :]]) == (sorted(known), [None] * (len(rows) - len(known)))
    pages, after = [], ""
    while not pages or after:
        page = site.client.get(f"{site.url}/cases", params={"sort": "domain", "limit": 2, "after": after}).json()
        pages, after = [*pages, *(row["name"] for row in page["rows"])], page["cursor"]
    assert pages == [row["name"] for row in rows]
    usual = site.client.get(f"{site.url}/cases").json()["rows"]
    assert {row["domain_p"] for row in usual} == {None}
    table = site.client.get(f"{site.url}/cases/csv").text.splitlines()
    assert ",domain_p,outside," in table[0]
    assert sum(",yes," in line for line in table) == 3
