"""Updates of a federation as arrays: averaged by hand, refused where they are off; the app that carries them is one's own."""

import asyncio
import io
import json
import os
import pickle
import struct
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import ConflictError, FormatError, SettingError
from medloop.models.exchange.federation import Plan, Rounds, held, prepare, read_plan
from medloop.models.exchange.federation_serving import serve
from medloop.models.exchange.flower import PACKAGE, SIDE, Secured, flower_environment, write_app
from medloop.models.exchange.flower_side.agreement import difference
from medloop.models.exchange.flower_side.door import FEDERATION, HEADER, HOLDER, PROOF, Door
from medloop.models.exchange.flower_side.site_process import require_own
from medloop.models.exchange.flower_side.updates import decode_arrays, encode_arrays, flaw_of, norm_of, too_long, weighted_mean
from medloop.models.exchange.flower_site import attend
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.federated_weights import common_weights, first_weights, joined_weights, shared_names


def arrays(**values):
    return {name: np.array(value, dtype=np.float32) for name, value in values.items()}


def test_a_mean_by_annotated_cases_is_the_one_by_hand():
    mean = weighted_mean([arrays(w=[1.0, 2.0], b=0.0), arrays(w=[4.0, -1.0], b=3.0)], [10, 20])
    assert mean["w"].tolist() == [3.0, 0.0]
    assert mean["b"].shape == ()
    assert mean["b"] == 2.0
    with pytest.raises(ValueError, match="weights above 0"):
        weighted_mean([arrays(w=[1.0])], [0])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**31))
def test_a_mean_lies_between_the_updates_and_does_not_depend_on_their_order(weights, seed):
    rng = np.random.default_rng(seed)
    updates = [{"w": rng.normal(size=7).astype(np.float32)} for _ in weights]
    mean = weighted_mean(updates, weights)["w"]
    every = np.stack([one["w"] for one in updates])
    assert (mean >= every.min(axis=0) - 1e-6).all()
    assert (mean <= every.max(axis=0) + 1e-6).all()
    assert np.allclose(mean, weighted_mean(updates[::-1], weights[::-1])["w"], atol=1e-6)


def test_an_update_of_other_tensors_shapes_or_numbers_that_are_none_is_not_averaged():
    base = arrays(w=[0.0, 0.0], b=0.0)
    assert flaw_of(arrays(w=[1.0, 2.0], b=1.0), base) == ""
    assert flaw_of(arrays(w=[1.0, np.nan], b=1.0), base) == "w holds numbers that are none"
    assert flaw_of(arrays(w=[1.0, np.inf], b=1.0), base) == "w holds numbers that are none"
    assert "type float64" in flaw_of({**arrays(b=1.0), "w": np.array([1.0, 1e300])}, base)  # infinite as float32
    assert "has shape [3], not [2]" in flaw_of(arrays(w=[1.0, 2.0, 3.0], b=1.0), base)
    assert "lacks 1 of 2 tensors, b" in flaw_of(arrays(w=[1.0, 2.0]), base)
    assert "too many, c" in flaw_of(arrays(w=[1.0, 2.0], b=1.0, c=1.0), base)


def test_an_update_over_the_norm_bound_is_named_and_the_others_stay():
    assert norm_of(arrays(w=[3.0, 1.0], b=5.0), arrays(w=[0.0, 1.0], b=1.0)) == 5.0
    assert too_long({"a": 1.0, "b": 9.0}, 5.0) == {"b": "norm 9 is over the bound 5"}
    assert too_long({"a": 1.0, "b": 1.2, "c": 7.0}, 0.0).keys() == {"c"}, "over five times the median"
    assert too_long({"a": 1.0, "b": 900.0}, 0.0) == {}, "of two, nobody can say which is off"


def test_files_are_safetensors_both_ways_and_nothing_else_is_read(tmp_path):
    given_arrays = arrays(w=[[1.0, 2.0]], b=3.0)
    ours = decode_weights(encode_arrays(given_arrays))
    assert {name: tensor.tolist() for name, tensor in ours.items()} == {"w": [[1.0, 2.0]], "b": 3.0}
    theirs = decode_arrays(encode_weights({"w": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(3.0)}))
    assert theirs["w"].tolist() == [[1.0, 2.0]]
    assert theirs["b"].shape == ()
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    for off in (pickle.dumps({"w": 1}), b"", struct.pack("<Q", 1 << 60), struct.pack("<Q", len(header)) + header + b"1234"):
        with pytest.raises(ValueError, match="not safetensors"):
            decode_arrays(off)


def test_normalisation_layers_stay_a_sites_own_and_everything_else_is_common(recipe_2d):
    every, common = shared_names(recipe_2d, local_norm=False), shared_names(recipe_2d, local_norm=True)
    own = set(every) - set(common)
    assert own
    assert all(".norm" in name for name in own)
    site = {name: tensor + 1 for name, tensor in decode_weights(first_weights(recipe_2d, 1, every)).items()}
    came = first_weights(recipe_2d, 2, common)
    joined = decode_weights(joined_weights(recipe_2d, encode_weights(site), came))
    assert all(torch.equal(joined[name], site[name]) for name in own)
    assert all(torch.equal(joined[name], tensor) for name, tensor in decode_weights(came).items())
    assert set(decode_weights(common_weights(encode_weights(joined), common))) == set(common)
    with pytest.raises(FormatError, match="do not belong"):
        joined_weights(recipe_2d, b"", encode_weights({"other": torch.zeros(1)}))


TERMS = {"version": "1", "kind": "segmentation", "labels": {"liver": 1}, "channels": 1, "recipe_sha256": "ab"}


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("version", "2", "the version of medloop must be 1, it has 2"),
        ("labels", {"spleen": 1}, "must be liver=1, it has spleen=1"),
        ("labels", {"liver": 2}, "must be liver=1, it has liver=2"),
        ("channels", 3, "the number of channels must be 1, it has 3"),
        ("kind", "classification", "the kind of task"),
        ("recipe_sha256", "cd", "the recipe"),
    ],
)
def test_a_site_that_differs_is_told_in_what(name, other, words):
    assert difference(TERMS, TERMS) == ""
    assert words in difference(TERMS, {**TERMS, name: other})


def bundle(folder, **more):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as out:
        for file in folder.rglob("*"):
            if file.is_file():
                out.write(file, file.relative_to(folder))
        for name, text in more.items():
            out.writestr(name.replace("__", "/") + ".py", text)
    return made.getvalue()


def test_a_site_runs_no_program_but_its_own(tmp_path):
    app = write_app(tmp_path)
    require_own(bundle(app), SIDE)
    with pytest.raises(ValueError, match="not that of this medloop"):
        require_own(bundle(app, sitecustomize="import os"), SIDE)
    (app / "pyproject.toml").write_text((app / "pyproject.toml").read_text().replace("client:app", "server:app"))
    with pytest.raises(ValueError, match="not that of this medloop"):
        require_own(bundle(app), SIDE)
    app = write_app(tmp_path)
    (app / PACKAGE / "client.py").write_text("print('images')")
    with pytest.raises(ValueError, match="not that of this medloop"):
        require_own(bundle(app), SIDE)


def test_a_federation_goes_on_with_the_same_terms_alone(recipe_2d, tmp_path):
    plan, folder = Plan("segmentation", {"a": 1, "b": 2}, recipe_2d), tmp_path / "f"
    begun = prepare(folder, plan, Rounds(rounds=2))
    assert prepare(folder, plan, Rounds(rounds=5))["id"] == begun["id"], "more rounds are no other federation"
    with pytest.raises(ConflictError, match="another strategy"):
        prepare(folder, plan, Rounds(rounds=2, strategy="fedprox"))
    with pytest.raises(ConflictError, match="another labels"):
        prepare(folder, replace(plan, labels={"a": 1}), Rounds(rounds=2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ConflictError, match="holds no federation"):
        prepare(tmp_path / "full", plan, Rounds())


def test_a_folder_whose_making_was_interrupted_is_made_again(recipe_2d, tmp_path):
    plan, folder = Plan("segmentation", {"a": 1, "b": 2}, recipe_2d), tmp_path / "f"
    prepare(folder, plan, Rounds(seed=1))
    (folder / "terms.json").unlink()
    (folder / ".terms.json.0a1b.tmp").write_text("{")
    prepare(folder, plan, Rounds(seed=2))
    prepare(tmp_path / "g", plan, Rounds(seed=2))
    assert (folder / "round-0000.safetensors").read_bytes() == (tmp_path / "g" / "round-0000.safetensors").read_bytes()


def test_a_folder_and_a_port_are_served_once_and_the_other_is_named(tmp_path):
    (tmp_path / "f").mkdir()
    with held(tmp_path / "f", "127.0.0.1:9100"), pytest.raises(ConflictError) as refused:
        serve(tmp_path / "f", ("127.0.0.1", 0), Secured(), print)
    assert f"held by another medloop federate serve (process {os.getpid()}, at 127.0.0.1:9100)" in str(refused.value)
    assert not (tmp_path / "f" / "flower").exists()
    with (
        served({"federation": "abc", "process": os.getpid(), "own": False}) as port,
        pytest.raises(ConflictError, match="serves federation abc"),
    ):
        serve(tmp_path / "f", ("127.0.0.1", port), Secured(), print)


@contextmanager
def served(told):
    class Told(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def reached(path, *, peer="10.0.0.9", secret=b""):
    sent = []

    async def app(scope, receive, send):
        sent.append({"status": 200})

    async def send(message):
        sent.append(message)

    headers = [(HEADER.encode(), secret)] if secret else []
    scope = {"type": "http", "path": path, "headers": headers, "client": (peer, 1), "server": ("10.0.0.1", 9100)}
    asyncio.run(Door(app)(scope, None, send))
    return sent[0]["status"]


def test_a_stranger_at_the_port_gives_no_commands(monkeypatch):
    for name, value in ((PROOF, "s3"), (FEDERATION, "f1"), (HOLDER, "12")):
        monkeypatch.setenv(name, value)
    assert reached("/v1/fleet/pull-messages") == reached("/health") == 200
    for path in ("/v1/control/start-run", "/v1/control/register-node", "/v1/runtime/claim-task", "/v1/responses", "/docs", "//v1/fleet/x"):
        assert reached(path) == 403, path
        assert reached(path, secret=b"s3") == 200
        assert reached(path, secret=b"s4") == 403
    assert reached("/v1/control/start-run", peer="127.0.0.1") == 403, "not even from this machine"
    assert reached("/v1/runtime/claim-task", peer="127.0.0.1") == reached("/v1/runtime/claim-task", peer="10.0.0.1") == 200


def test_other_machines_are_reached_over_tls_alone_and_a_plan_is_checked(tmp_path):
    with pytest.raises(SettingError, match="over TLS alone"):
        attend(tmp_path, "hospital.example:9100", Secured(), lambda *_: ({}, None))
    with pytest.raises(SettingError, match="HOST:PORT"):
        attend(tmp_path, "hospital", Secured(), lambda *_: ({}, None))
    with pytest.raises(SettingError, match=r"127\.0\.0\.1 alone"):
        serve(tmp_path, ("0.0.0.0", 9100), Secured(), print)
    with pytest.raises(SettingError, match="none is named"):
        serve(tmp_path, ("0.0.0.0", 9100), Secured("ca.pem", "key.pem", "cert.pem"), print)
    (tmp_path / "plan.json").write_bytes(pickle.dumps({}))
    with pytest.raises(FormatError, match="no plan of a federation"):
        read_plan(tmp_path / "plan.json")


def test_no_header_of_a_stranger_says_that_it_is_this_machine(flower, tmp_path, monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert flower_environment(tmp_path, {})["FORWARDED_ALLOW_IPS"] == "127.0.0.1"
