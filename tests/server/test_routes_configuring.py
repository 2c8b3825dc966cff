"""Settings and the task change over REST, all or nothing, on the version that the caller knows."""

import base64
import io

import PIL.Image
import pytest

from medloop.core.errors import ConflictError
from medloop.loop.foundation.configuring import configure
from medloop.server.wire.setting_views import LabelBody, TaskBody


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


def test_an_older_name_of_a_setting_sets_it_and_both_names_at_once_are_refused(site) -> None:
    changed = site.client.patch(f"{site.url}/settings", json={"changes": {"summed": "top"}}).json()["changes"]
    assert [(c["what"], c["after"]) for c in changed] == [("aggregation", "top")]
    both = site.client.patch(f"{site.url}/settings", json={"changes": {"summed": "sum", "aggregation": "box"}})
    assert (both.status_code, "aggregation must be given once" in both.json()["error"]["message"]) == (422, True)
    assert "summed" not in (shown := site.client.get(site.url).json()["settings"])
    assert shown["aggregation"] == "top"


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


def test_of_two_changes_made_on_one_version_at_once_the_second_is_told(site):
    body = TaskBody(version=1, labels=[LabelBody(value=1, name="small"), LabelBody(value=2, name="large")])
    seen = site.workspace.task
    twice = [body.change(seen), body.change(seen)]  # both looked before either was made
    configure(site.workspace, task=twice[0])
    with pytest.raises(ConflictError, match="has version 2, the change was made on 1"):
        configure(site.workspace, task=twice[1])
    assert [label.name for label in site.workspace.reload().task.labels] == ["small", "large"]


def test_a_new_label_in_another_unicode_form_and_with_blanks_gets_its_colour(site):
    fresh = {"value": None, "name": " Le\u0301sion ", "colour": "#102030"}
    labels = [{"value": 1, "name": "large"}, {"value": 2, "name": "small"}, fresh]
    done = site.client.patch(f"{site.url}/task", json={"version": 1, "labels": labels})
    assert done.status_code == 200, done.text
    assert site.client.get(site.url).json()["labels"][-1] == {"value": 3, "name": "L\u00e9sion", "colour": "#102030", **ALONE}


def test_labels_that_overlap_say_what_drawing_makes_of_their_voxels(site):
    done = site.client.patch(f"{site.url}/task", json={"version": 1, "overlaps": {"small": ["Large"]}})
    assert done.status_code == 200, done.text
    shown = site.client.get(site.url).json()
    large, small = shown["labels"]
    assert (large["overlaps"], large["drawn"], large["left"]) == ([2], {"2": 3, "3": 3}, {"1": 0, "3": 2})
    assert (small["overlaps"], small["drawn"], small["left"]) == ([1], {"1": 3, "3": 3}, {"2": 0, "3": 1})
    assert [(one["value"], one["name"]) for one in shown["shared"]] == [(3, "large + small")]
    refused = site.client.patch(f"{site.url}/task", json={"version": 2, "inside": {"small": "large"}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unknown_label")


ALONE = {"inside": None, "overlaps": [], "drawn": {}, "left": {}}


def test_numbers_beyond_every_float_are_refused_in_words(site):
    for name in ("batch_size", "train_minutes", "seed"):
        body = f'{{"changes": {{"{name}": 1{"0" * 400}}}}}'
        answer = site.client.patch(f"{site.url}/settings", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_setting")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
@pytest.mark.parametrize("name", ["batch_size", "train_minutes", "strategy"])
def test_numbers_that_are_not_finite_are_called_so_in_one_line(site, name: str, number: str):
    body = f'{{"changes": {{"{name}": {number}}}}}'
    answer = site.client.patch(f"{site.url}/settings", content=body, headers={"Content-Type": "application/json"})
    message = answer.json()["error"]["message"]
    assert (answer.status_code, message) == (422, f"body.changes.{name}: A number must be finite and below 1.8e308")


def test_a_value_of_no_kind_is_told_all_the_kinds_it_may_be(site):
    message = site.client.patch(f"{site.url}/settings", json={"changes": {"batch_size": None}}).json()["error"]["message"]
    assert message.startswith("body.changes.batch_size: Input should be a valid string or ")
    assert "number" in message


@pytest.mark.usefixtures("an_hour_later")
def test_a_rate_prices_what_an_annotator_did_and_is_refused_in_one_line_where_it_is_none(site) -> None:
    opened = site.opened()["assignment"]
    site.client.post(f"{site.url}/assignments/{opened['id']}/submit", json={"revision": 0, "effort_seconds": 90})
    priced = site.client.patch(f"{site.url}/annotators", json={"annotator": "local", "cost_per_minute": 2.5})
    assert priced.json() == site.client.get(f"{site.url}/annotators").json()
    effort = site.client.get(f"{site.url}/progress").json()["effort"][0]
    assert {**priced.json()[0], **effort} == priced.json()[0], "the same figures, and skill"
    (line,) = priced.json()
    assert (line["annotator"], line["cases"], line["minutes"], line["cost_per_minute"], line["cost"]) == ("local", 1, 1.5, 2.5, 3.75)
    for rate, words in [
        ("-1", "must lie above 0"),
        ("0", "must lie above 0"),
        ("1e7", "must lie above 0 and at most at 1000000"),
        ("NaN", "A number must be finite"),
        ("1e999", "A number must be finite"),
        ("true", "valid number"),
    ]:
        body = f'{{"annotator": "local", "cost_per_minute": {rate}}}'
        refused = site.client.patch(f"{site.url}/annotators", content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 422, rate
        assert words in refused.json()["error"]["message"]
        assert "\n" not in refused.json()["error"]["message"]
    assert site.client.patch(f"{site.url}/annotators", json={"annotator": "nobody", "cost_per_minute": 2}).status_code == 404
    assert site.client.get(f"{site.url}/annotators").json() == [line]


def test_pictures_of_the_instructions_are_sent_with_the_task_and_read_as_png(site) -> None:
    made = io.BytesIO()
    PIL.Image.new("RGB", (4, 3), "red").save(made, "JPEG")
    pictures = [base64.b64encode(made.getvalue()).decode()]
    done = site.client.patch(f"{site.url}/task", json={"version": 1, "instructions": "![red](picture-1)", "pictures": pictures})
    assert done.status_code == 200, done.text
    assert site.client.get(f"{site.url}/settings").json()["task"]["pictures"] == 1
    shown = site.client.get(f"{site.url}/pictures/1")
    assert (shown.headers["content-type"], shown.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert PIL.Image.open(io.BytesIO(shown.content)).size == (4, 3)
    assert site.client.get(f"{site.url}/pictures/2").status_code == 404
    refused = site.client.patch(f"{site.url}/task", json={"version": 2, "pictures": [base64.b64encode(b"<svg/>").decode()]})
    assert (refused.status_code, "PNG or JPEG" in refused.json()["error"]["message"]) == (422, True)
