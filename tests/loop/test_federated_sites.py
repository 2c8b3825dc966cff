"""A site of a federation in this process: what it refuses, what leaves it, and what becomes of the result."""

import dataclasses
import json

import numpy as np
import pytest

from medloop.core.errors import ConflictError, FormatError, InputError, SettingError
from medloop.core.records import Evaluation, Model
from medloop.loop.data.model_card import model_card
from medloop.loop.foundation.federated_account import FILE, account_of, account_words, enter, summed
from medloop.loop.learning import federated_result
from medloop.loop.learning.federated import Site, plan_of
from medloop.loop.learning.federated_joining import _alone, join_federation
from medloop.loop.learning.federated_learning import Learning, SiteControl
from medloop.loop.learning.federated_privacy import Privacy
from medloop.loop.learning.federated_result import finish_interrupted
from medloop.loop.overview.model_history import list_models
from medloop.models.exchange.federation import Rounds, terms_of
from medloop.models.exchange.flower_side.updates import decode_arrays, encode_arrays, norm_of
from medloop.models.foundation.federated_weights import first_weights
from tests.loop.conftest import FAST

ROUNDS = Rounds(rounds=1, steps=6, min_sites=1)


@pytest.fixture
def workspace(make_workspace):
    return make_workspace(["train", "train", "test"], labelled=3)


def agreed(workspace, how=ROUNDS):
    plan = plan_of(workspace)
    terms = json.loads(json.dumps(terms_of(plan, how)))
    return terms, first_weights(plan.recipe, how.seed, terms["shared"])


def told(terms, *sites):
    return {**terms, "rounds_told": [{"round": 1, "sites": [{"site": name, "cases": 2} for name in sites], "left_out": {}}]}


def test_a_site_that_differs_refuses_in_one_line_and_learns_nothing(workspace, make_workspace):
    terms, _ = agreed(workspace)
    said = []
    assert "refused" not in Site(workspace, "north", said.append).meet(terms)
    for off, words in (
        ({"version": "9.9"}, "the version of medloop must be 9.9"),
        ({"labels": {"large": 1}}, "the labels and their values must be large=1, it has large=1, small=2"),
        ({"channels": 4}, "the number of channels must be 4, it has 1"),
        ({"recipe": {**terms["recipe"], "ema_decay": 0.5}}, "the recipe must be"),
        ({"recipe": {**terms["recipe"], "from_the_future": 1}}, "the recipe cannot be read"),
    ):
        answer = Site(workspace, "north", said.append).meet({**terms, **off})
        assert words in answer["refused"]
        assert words in said[-1]
        assert "\n" not in said[-1]
    modelled = make_workspace(["train"], labelled=1, name="other", settings=dataclasses.replace(FAST, annotator_model="confusion"))
    assert "annotator_model must be none" in Site(modelled, "south", said.append).meet(terms)["refused"]
    with pytest.raises(SettingError, match="annotator_model must be none"):
        plan_of(modelled)
    with pytest.raises(FormatError, match="letters and digits"):
        Site(workspace, "north", said.append).meet({**terms, "id": "../../etc"})


def test_weights_counts_and_figures_are_all_that_leaves_a_site(workspace):
    terms, first = agreed(workspace)
    facts, weights = Site(workspace, "north", lambda _: None).learn({**terms, "round": 1}, first)
    assert set(facts) == {"site", "cases", "loss", "steps"}
    assert facts["cases"] == 2
    update, base = decode_arrays(weights), decode_arrays(first)
    assert set(update) == set(base) == set(terms["shared"])
    assert norm_of(update, base) > 0
    with pytest.raises(FormatError, match="do not belong"):
        Site(workspace, "north", lambda _: None).learn({**terms, "round": 1}, encode_arrays({"w": np.zeros(2, dtype=np.float32)}))


def test_fedprox_holds_a_site_near_the_common_weights(workspace):
    far = {}
    for strategy in ("fedavg", "fedprox"):
        terms, first = agreed(workspace, dataclasses.replace(ROUNDS, strategy=strategy, proximal=50.0))
        _, weights = Site(workspace, "north", lambda _: None).learn({**terms, "round": 1}, first)
        far[strategy] = norm_of(decode_arrays(weights), decode_arrays(first))
    assert far["fedprox"] < 0.9 * far["fedavg"]


def test_with_local_norms_these_stay_a_sites_own_in_its_model(workspace):
    terms, first = agreed(workspace, dataclasses.replace(ROUNDS, local_norm=True))
    site = Site(workspace, "north", lambda _: None)
    _, weights = site.learn({**terms, "round": 1}, first)
    assert set(decode_arrays(weights)) == set(terms["shared"])
    common = encode_arrays({name: array + 1 for name, array in decode_arrays(weights).items()})
    site.keep(told(terms, "north"), common)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    kept = decode_arrays(workspace.store.blobs.get(model.weights[0]))
    own = Learning(workspace, terms, workspace.work_folder / f"federation-{terms['id']}", SiteControl(workspace, print, 1)).own
    for name, array in kept.items():
        expected = decode_arrays(common)[name] if name in terms["shared"] else decode_arrays(own)[name]
        assert np.array_equal(array, expected)


def test_the_result_is_a_candidate_that_the_gate_decides_about_whatever_the_setting(workspace):
    assert workspace.settings.release == "unless-worse"
    site = Site(workspace, "north", lambda _: None)
    for seed in (0, 1):
        terms, first = agreed(workspace, dataclasses.replace(ROUNDS, seed=seed))
        answer = site.keep(told(terms, "north", "south"), first)
    assert "model 2" in answer["words"]
    assert "is a candidate, not in use" in answer["words"]
    with workspace.store.read() as tx:
        assert tx.live_model().index == 1
    line = list_models(workspace)[-1]
    assert line.candidate
    assert "federated round 1 of 1, 2 sites (north, south), fedavg" in line.note
    assert "already" in site.keep(told(terms, "north", "south"), first)["words"], "the same result is not kept twice"
    assert len(list_models(workspace)) == 2


def test_a_private_site_says_what_its_updates_cost_each_patient_and_stops_at_its_bound(workspace):
    terms, first = agreed(workspace, dataclasses.replace(ROUNDS, steps=2, rounds=2))
    said = []
    site = Site(workspace, "north", said.append, privacy=Privacy(epsilon=4.0, delta=1e-3))
    assert "refused" not in site.meet(terms)
    for number in (1, 2):
        facts, weights = site.learn({**terms, "round": number}, first)
    assert facts["loss"] is None, "a loss is no private figure"
    assert 3.5 < facts["privacy"]["epsilon"] <= 4.004
    assert said[-1].startswith(f"ε {facts['privacy']['epsilon']:.2f} at δ 0.001 for each patient")
    with pytest.raises(InputError, match="4 is allowed"):
        site.learn({**terms, "round": 2}, first)  # the coordinator makes a round again: it costs again
    site.keep(told(terms, "north"), weights)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.metrics["federation"]["privacy"]["epsilon"] == facts["privacy"]["epsilon"]
    assert "private: ε" in list_models(workspace)[0].note
    assert "for each patient" in model_card(workspace, model)
    too_large = Site(workspace, "north", said.append, privacy=Privacy(epsilon=4.0, delta=0.5))
    assert "below one over the number of patients, 1/2" in too_large.meet(terms)["refused"]


def test_a_project_takes_part_once_at_a_time(workspace):
    with _alone(workspace), pytest.raises(ConflictError, match="already"), _alone(workspace):
        pass
    with _alone(workspace):
        pass


def test_privacy_is_not_claimed_of_an_update_that_left_without_noise(workspace):
    terms, first = agreed(workspace)
    Site(workspace, "north", print).learn({**terms, "round": 1}, first)
    with pytest.raises(InputError, match="without noise"):
        Site(workspace, "north", print, privacy=Privacy(epsilon=1000, delta=0.01)).learn({**terms, "round": 1}, first)


def test_a_federation_of_before_there_was_an_account_is_not_free(workspace):
    terms, first = agreed(workspace, dataclasses.replace(ROUNDS, steps=2))
    site = Site(workspace, "north", lambda _: None)
    _, weights = site.learn({**terms, "round": 1}, first)
    site.keep(told(terms, "north"), weights)
    (workspace.folder / FILE).unlink()
    assert summed(account_of(workspace))["without_noise"] == 1
    enter(workspace, "next", {"epsilon": 1.0, "delta": 1e-3})
    assert account_of(workspace)[terms["id"]]["epsilon"] is None


def test_what_federations_cost_adds_up_and_is_said_before_the_next(workspace, tmp_path):
    terms, first = agreed(workspace, dataclasses.replace(ROUNDS, steps=2))
    for seed in (0, 1):
        again = {**terms, "id": f"f{seed}"}
        Site(workspace, "north", print, privacy=Privacy(epsilon=4.0, delta=1e-3)).learn({**again, "round": 1}, first)
    total = summed(account_of(workspace))
    assert (total["federations"], total["without_noise"], total["delta"]) == (2, 0, 2e-3)
    assert total["epsilon"] == sum(one["epsilon"] for one in account_of(workspace).values()) > 7
    enter(workspace, "f2", {})
    enter(workspace, "f2", {"epsilon": 1.0, "delta": 1e-3})
    assert account_of(workspace)["f2"]["epsilon"] is None, "an update without noise is not made good"
    assert "over 2 federations; 1 federation without noise" in account_words(summed(account_of(workspace)))
    said = []
    with pytest.raises(SettingError, match="HOST:PORT"):
        join_federation(workspace, "nowhere", say=said.append, privacy=Privacy(epsilon=2.0))
    assert said[0].endswith("; this one may add ε 2 at δ 1e-05")
    (workspace.folder / "federated-privacy.json").write_text("{")
    with pytest.raises(FormatError, match="cannot be read"):
        join_federation(workspace, "nowhere", say=said.append)


def test_a_result_whose_judging_was_interrupted_is_judged_once_when_the_site_is_started_again(workspace, monkeypatch):
    terms, first = agreed(workspace)

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(federated_result, "bring_up_to_date", killed)
        with pytest.raises(Killed):
            Site(workspace, "north", print).keep(told(terms, "north"), first)
    with workspace.store.read() as tx:
        assert not tx.find(Evaluation)
    said = []
    finish_interrupted(workspace, said.append, 1)
    with workspace.store.read() as tx:
        assert tx.find(Evaluation)
    assert "goes on with the result" in said[0]
    said.clear()
    finish_interrupted(workspace, said.append, 1)
    assert not said
    assert "already" in Site(workspace, "north", print).keep(told(terms, "north"), first)["words"]
    assert len(list_models(workspace)) == 1
