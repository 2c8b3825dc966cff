"""Weights that others wrote: every usual container is read as tensors by name, and nothing in a file is run."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from medloop.core.errors import FormatError, InputError, NotFoundError
from medloop.models.foundation import weight_files
from medloop.models.foundation.weight_files import read_weights


class Small(nn.Module):
    """Two convolutions of which one lies in a list, a normalisation with an integer buffer, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.blocks = nn.ModuleList([nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3)])

    def forward(self, images: Tensor) -> Tensor:
        """Images to features."""
        features: Tensor = self.norm(self.stem(images))
        for block in self.blocks:
            features = block(features)
        return features


@pytest.fixture
def network() -> Small:
    torch.manual_seed(0)
    return Small().eval()


def same(found: dict[str, Tensor], network: nn.Module) -> bool:
    own = {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
    return found.keys() == own.keys() and all(torch.equal(found[name], own[name]) for name in own)


def save_script(network: nn.Module, file: Path, *, traced: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript deprecated; files of it are there all the same
        made = torch.jit.trace(network, torch.zeros(1, 1, 20, 20)) if traced else torch.jit.script(network)
        torch.jit.save(made, file)


def test_a_state_dict_is_read_by_itself_and_under_the_usual_keys(network: Small, tmp_path: Path) -> None:
    state = network.state_dict()
    for name, content in {
        "plain.pt": state,
        "lightning.ckpt": {"epoch": 3, "state_dict": state},
        "nested.pth": {"teacher": {"model": state}},
    }.items():
        torch.save(content, tmp_path / name)
        assert same(read_weights(tmp_path / name), network), name


def test_safetensors_are_read_as_they_are(network: Small, tmp_path: Path) -> None:
    safetensors.torch.save_file(network.state_dict(), tmp_path / "a.safetensors")
    assert same(read_weights(tmp_path / "a.safetensors"), network)


@pytest.mark.parametrize("traced", [True, False])
def test_the_tensors_of_a_torchscript_archive_are_those_of_its_state_dict(network: Small, tmp_path: Path, *, traced: bool) -> None:
    for name in ("a.ts", "a.pt"):
        save_script(network, tmp_path / name, traced=traced)
        assert same(read_weights(tmp_path / name), network)


def test_a_bundle_gives_the_weights_of_its_models_folder(network: Small, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    save_script(network, tmp_path / "models" / "model.ts", traced=True)
    assert same(read_weights(tmp_path), network)
    torch.save({"other": torch.ones(1)}, tmp_path / "models" / "model.pt")
    assert read_weights(tmp_path).keys() == {"other"}


def test_half_precision_becomes_single_and_whole_numbers_are_left_out(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, dtype=torch.float16), "b": torch.ones(2, dtype=torch.int64)}, tmp_path / "a.pt")
    (found,) = read_weights(tmp_path / "a.pt").items()
    assert found[0] == "a"
    assert found[1].dtype == torch.float32


class Evil:
    """What a pickle may do when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def test_no_pickled_code_runs_whatever_the_file_is_called(network: Small, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"state_dict": network.state_dict(), "callback": Evil(mark)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Evil(mark)))
    save_script(network, tmp_path / "c.ts", traced=True)
    replace_attributes(tmp_path / "c.ts", pickle.dumps(Evil(mark)))
    for name in ("a.pt", "b.pt", "c.ts"):
        with pytest.raises(FormatError) as refused:
            read_weights(tmp_path / name)
        assert "\n" not in str(refused.value)
        assert not mark.exists()


def replace_attributes(file: Path, data: bytes) -> None:
    """Put another pickle into a TorchScript archive."""
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, data if name.count("/") == 1 and name.endswith("/data.pkl") else content)


@pytest.mark.parametrize("name", ["a.pt", "a.ts", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off", b"\x80\x02}q\x00."])
def test_a_file_that_holds_no_weights_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError) as refused:
        read_weights(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(name)


def test_an_archive_cut_anywhere_is_refused_or_read_whole(network: Small, tmp_path: Path) -> None:
    save_script(network, tmp_path / "a.ts", traced=True)
    whole = (tmp_path / "a.ts").read_bytes()
    for cut in range(0, len(whole), max(1, len(whole) // 23)):
        (tmp_path / "b.ts").write_bytes(whole[:cut])
        with pytest.raises(FormatError):
            read_weights(tmp_path / "b.ts")


def test_a_storage_that_is_too_short_for_its_tensor_is_refused(network: Small, tmp_path: Path) -> None:
    save_script(network, tmp_path / "a.ts", traced=True)
    with zipfile.ZipFile(tmp_path / "a.ts") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "a.ts", "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content[:4] if "/data/" in name else content)
    with pytest.raises(FormatError, match="cannot be read"):
        read_weights(tmp_path / "a.ts")


def test_what_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="There is no file or folder"):
        read_weights(tmp_path / "none.pt")
    with pytest.raises(NotFoundError, match="A folder must be a medloop project or a MONAI bundle"):
        read_weights(tmp_path)
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(1)}, buffer)
    (tmp_path / "a.pt").write_bytes(buffer.getvalue())
    monkeypatch.setattr(weight_files, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="A file of weights may have"):
        read_weights(tmp_path / "a.pt")
