"""A federation of real processes on this machine: Flower's SuperLink, SuperNodes, and a project each, over TLS with keys; one is killed."""

import hashlib
import multiprocessing
import os
import signal
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from medloop.core.records import Source
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.federated import Site, plan_of
from medloop.loop.learning.federated_joining import join_federation
from medloop.models.exchange.federation import Rounds, prepare
from medloop.models.exchange.federation_serving import serve
from medloop.models.exchange.flower import Secured
from medloop.models.exchange.flower_side.updates import decode_arrays
from medloop.models.foundation.networks import blocks
from tests.loop.conftest import FAST, small_phantom

SITES = {"north": ("large", "small"), "south": ("large", "small"), "doomed": ("large", "small"), "other": ("large", "spleen")}
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def make_site(tmp_path):
    def make(name, labels, *, first):
        with Workspace.create(tmp_path / name, name=name, kind="segmentation", labels=list(labels), settings=FAST) as workspace:
            teacher = annotator_named(workspace, "import", program=True)
            for index, split in enumerate(["train"] * (3 if name == "south" else 2) + ["test"]):
                phantom = small_phantom(first + index)
                digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
                case = NewCase(
                    name=f"case{index}", patient=f"patient{index}", split=split, source=Source(format="p", names=("p",), sha256=digest)
                )
                add_case(workspace, phantom.image, case, Incoming(phantom.mask, teacher))
        return tmp_path / name

    return make


@pytest.fixture
def coordinator(tmp_path) -> Secured:
    """A certificate of this machine, and a key pair for every site: the private halves are files named after the sites."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.pem"
    for_this_machine = ["-subj", "/CN=coordinator", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), *for_this_machine]
    subprocess.run(made, check=True, capture_output=True)
    for name in SITES:
        pair = ec.generate_private_key(ec.SECP384R1())
        secret = pair.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        public = pair.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        (tmp_path / f"{name}.key").write_bytes(secret)
        (tmp_path / f"{name}.pub").write_bytes(public)
    return Secured(str(certificate), str(key), str(certificate), tuple(str(tmp_path / f"{name}.pub") for name in SITES))


class DoomedSite(Site):
    """Dies in the middle of its first round, as a machine does."""

    def learn(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)


def take_part(folder, server, name):
    import medloop.loop.learning.federated_joining as joining

    if name == "doomed":
        joining.Site = DoomedSite
    said = (folder / "said.txt").open("a", buffering=1)
    with Workspace.open(folder) as workspace:
        secured = Secured(str(folder.parent / "tls.pem"), str(folder.parent / f"{name}.key"))
        join_federation(workspace, server, say=lambda line: print(line, file=said), name=name, secured=secured)


def test_three_sites_learn_together_a_killed_one_costs_only_its_round_and_one_with_other_labels_is_refused(
    flower, make_site, coordinator, tmp_path
):
    blocks()  # the sites are forked: what takes seconds to load is there already
    folders = {name: make_site(name, labels, first=10 * n) for n, (name, labels) in enumerate(SITES.items())}
    with Workspace.open(folders["north"]) as workspace:
        prepare(tmp_path / "f", plan_of(workspace), Rounds(rounds=2, steps=4, sites=3, min_sites=2, wait_minutes=2))
    lines, sites = [], []

    def say(line):
        lines.append(line)
        if line.startswith("serves at"):
            sites.extend(FORK.Process(target=take_part, args=(folder, line.split()[-1], name)) for name, folder in folders.items())
            for one in sites:
                one.start()

    try:
        done = serve(tmp_path / "f", ("127.0.0.1", 0), coordinator, say)
        for one in sites[:2]:
            one.join(30)
    finally:
        for one in sites:
            one.kill()
            one.join()
    assert done.complete, lines
    assert any(line.startswith("other is refused: the labels and their values must be large=1, small=2") for line in lines)
    assert "round 1: doomed is left out: it left" in lines
    first, second = done.rounds
    assert {one["site"] for one in first["sites"]} == {one["site"] for one in second["sites"]} == {"north", "south"}
    assert first["left_out"] == {"doomed": "it left"}
    assert {one["cases"] for one in first["sites"]} == {2, 3}
    assert sites[0].exitcode == sites[1].exitcode == 0
    result = decode_arrays((tmp_path / "f" / "round-0002.safetensors").read_bytes())
    for name in ("north", "south"):
        with Workspace.open(folders[name]) as workspace, workspace.store.read() as tx:
            (model,) = tx.learned_models()
            assert model.model.metrics["federation"]["sites"] == ["north", "south"]
            kept = decode_arrays(workspace.store.blobs.get(model.model.weights[0]))
            assert all((kept[tensor] == array).all() for tensor, array in result.items())
        assert "test: dice" in (folders[name] / "said.txt").read_text()
