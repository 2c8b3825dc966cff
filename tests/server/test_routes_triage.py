"""Who should look at which prediction, over REST."""

from tests.loop import made_up


def judge(workspace, agreements=(0.95, 0.9, 0.8, 0.6, 0.3, 0.1)) -> None:
    """Predictions of every case; all but the last are evaluated, and as good as their samples agree."""
    model, scores = made_up.add_model(workspace, 1), {}
    made_up.add_cases(workspace, max(0, len(agreements) + 1 - len(made_up.every_case(workspace))))
    *judged, last = made_up.every_case(workspace)
    for case, agreement in zip(judged, agreements, strict=True):
        scores[case.name] = agreement
        made_up.add_prediction(workspace, model, case, agreement=agreement)
    made_up.add_prediction(workspace, model, last, agreement=0.99)
    made_up.add_evaluation(workspace, model, "test", 1, scores)


def test_the_pool_is_sorted_with_reasons_and_the_measured_curve(site) -> None:
    judge(site.workspace)
    found = site.client.get(f"{site.url}/triage", params={"risk": 0.25, "good": 0.7, "hard": 0.5}).json()["found"]
    assert [(c["score"], c["decision"]) for c in found["cases"]] == [
        (0.1, "second expert"),
        (0.3, "second expert"),
        (0.6, "review"),
        (0.8, "accept"),
        (0.9, "accept"),
        (0.95, "accept"),
        (0.99, "accept"),
    ]
    assert (found["accept"]["above"], found["accept"]["coverage"], found["accept"]["patients"]) == (0.6, 0.5, 6)
    assert found["cases"][0]["reason"] == "0.100 is not above 0.300: it may well be below 0.5"
    assert found["curve"][-1]["share_bad"] == 0.5
    assert (found["splits"], found["optimistic"], found["unpredicted"]) == (["test"], False, 0)


def test_a_threshold_without_limit_is_null_not_infinite(site) -> None:
    judge(site.workspace)
    found = site.client.get(f"{site.url}/triage", params={"risk": 0.9, "good": 0.01, "hard": 0.01}).json()["found"]
    assert found["accept"]["above"] is None


def test_too_few_evaluated_patients_are_a_state_with_a_way_out(site) -> None:
    nothing = site.client.get(f"{site.url}/triage").json()
    assert (nothing["found"], nothing["remedy"]) == (None, "annotate evaluation cases and train a model")
    judge(site.workspace)
    few = site.client.get(f"{site.url}/triage", params={"risk": 0.05})
    assert (few.status_code, few.json()["found"]) == (200, None)
    assert "needs at least 19 evaluated patients, got 6" in few.json()["reason"]


def test_a_bad_risk_is_refused(site) -> None:
    judge(site.workspace)
    assert site.client.get(f"{site.url}/triage", params={"risk": 2}).status_code == 422
    assert site.client.get(f"{site.url}/triage", params={"risk": "much"}).status_code == 422


def test_a_high_risk_is_no_reason_to_believe_four_patients(site) -> None:
    judge(site.workspace, agreements=(0.95, 0.9, 0.6, 0.1))
    found = site.client.get(f"{site.url}/triage", params={"risk": 0.3}).json()
    assert found["found"] is None
    assert "needs at least 5 evaluated patients, got 4" in found["reason"]
