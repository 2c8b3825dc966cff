import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from medloop.core.errors import FormatError, NotFoundError
from medloop.interaction.external.promptable_file import Description, load_promptable

from ..flat_network import ABOUT, SIZE, AsBright, save


class Reading(AsBright):
    @torch.jit.export
    def encode(self, image: Tensor) -> Tensor:
        return torch.from_file("/etc/hostname", False, 4, dtype=torch.uint8).float() + image


class Waking(AsBright):
    @torch.jit.export
    def __getstate__(self) -> int:
        return 1

    @torch.jit.export
    def __setstate__(self, state: int) -> None:
        self.training = False


class Mute(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image


class Wide(AsBright):
    @torch.jit.export
    def decode(self, embedding: Tensor, points: Tensor, labels: Tensor, boxes: Tensor, previous: Tensor) -> Tensor:  # noqa: ARG002
        return embedding.repeat(1, 3, 1, 1)


def test_a_saved_network_answers_as_it_did_before(tmp_path: Path):
    network = load_promptable(save(AsBright(), tmp_path / "net.pt"))
    assert network.description == ABOUT
    picture = torch.zeros(1, SIZE, SIZE)
    picture[0, 4:8, 10:20] = 1.0
    at, box, nothing = torch.tensor([[12.0, 5.0]]), torch.zeros(0, 4), torch.zeros(16, 16)
    logits = network.decode(network.encode(picture), at, torch.ones(1), box, nothing)
    assert torch.equal(logits > 0, picture[0] > 0)
    expected = AsBright().decode(picture[None], at[None], torch.ones(1, 1), box[None], nothing[None, None])
    assert torch.equal(logits, expected[0, 0])


@pytest.mark.parametrize(
    ("module", "rule"),
    [
        (Reading, "uses no files and no hooks, this one has 'torch.from_file'"),
        (Waking, "uses no files and no hooks, this one has '__setstate__'"),
        (Mute, "does not respond as a promptable network must"),
        (Wide, r"decodes to logits of shape \(1, 1, h, w\)"),
    ],
)
def test_networks_that_may_not_or_do_not_answer_are_refused(module: type[nn.Module], rule: str, tmp_path: Path):
    with pytest.raises(FormatError, match=rule):
        load_promptable(save(module(), tmp_path / "net.pt"))


def test_operators_of_extensions_are_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as archive:
        archive.writestr("net/code/__torch__.py", "def forward(x):\n  return ops.evil.run(x)\n")
    with pytest.raises(FormatError, match=r"torch's own operators only, this one has 'ops\.evil'"):
        load_promptable(tmp_path / "net.pt")


def test_pickles_and_noise_are_refused(tmp_path: Path):
    torch.save(AsBright().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(FormatError, match="with code"):
        load_promptable(tmp_path / "weights.pt")
    (tmp_path / "noise.pt").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FormatError, match=r"no TorchScript archive; write it with module\.save"):
        load_promptable(tmp_path / "noise.pt")
    whole = save(AsBright(), tmp_path / "net.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError):
        load_promptable(tmp_path / "half.pt")
    with pytest.raises(NotFoundError):
        load_promptable(tmp_path / "missing.pt")


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"size": 4},
        {"size": "32"},
        {"channels": 2},
        {"std": [0.0]},
        {"mean": []},
        {"mean": ["x"]},
        {"high_percentile": 101},
        {"name": "../up"},
        {"colour": "red"},
    ],
)
def test_a_description_out_of_its_rules_is_refused(change: dict[str, object], tmp_path: Path):
    about = json.dumps({**json.loads(ABOUT.to_json()), **change})
    with pytest.raises(FormatError, match="promptable network"):
        load_promptable(save(AsBright(), tmp_path / "net.pt", about))


def test_a_missing_or_wild_description_is_refused(tmp_path: Path):
    for about in ("", "[1]", "{", "[" * 100_000):
        with pytest.raises(FormatError, match="promptable network"):
            load_promptable(save(AsBright(), tmp_path / "net.pt", about))
    assert Description.from_json(ABOUT.to_json()) == ABOUT
