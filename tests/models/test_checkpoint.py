import pytest
import torch

from medloop.core.errors import FormatError, IntegrityError
from medloop.models.foundation.checkpoint import (
    Checkpoint,
    checkpoint_file,
    decode_weights,
    encode_weights,
    read_checkpoint,
    write_checkpoint,
)


@pytest.fixture
def stem(tmp_path):
    stem = tmp_path / "checkpoint-0"
    write_checkpoint(stem, Checkpoint({"a": torch.arange(6.0).reshape(2, 3)}, {"step": 3}), mark="3")
    return stem


def test_what_was_written_is_read(stem):
    found = read_checkpoint(stem)
    assert found.facts == {"step": 3}
    assert torch.equal(found.tensors["a"], torch.arange(6.0).reshape(2, 3))


def test_no_checkpoint_is_none(tmp_path):
    assert read_checkpoint(tmp_path / "nothing") is None


def test_a_new_checkpoint_replaces_the_old_one(stem):
    file = write_checkpoint(stem, Checkpoint({"a": torch.zeros(2)}, {"step": 4}), mark="4")
    assert checkpoint_file(stem) == file
    assert sorted(p.name for p in stem.parent.iterdir()) == ["checkpoint-0.4.safetensors", "checkpoint-0.json"]


@pytest.mark.parametrize("name", ["checkpoint-0.3.safetensors", "checkpoint-0.json"])
def test_any_flipped_byte_is_refused(stem, name):
    file = stem.with_name(name)
    whole = file.read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(IntegrityError):
            read_checkpoint(stem)
    file.write_bytes(whole)
    assert read_checkpoint(stem) is not None


def test_a_manifest_without_its_tensors_is_refused(stem):
    checkpoint_file(stem).unlink()
    with pytest.raises(IntegrityError, match="SHA-256"):
        read_checkpoint(stem)


def test_an_orphan_of_a_crash_does_no_harm(stem):
    stem.with_name("checkpoint-0.9.safetensors").write_bytes(b"half written")
    stem.with_name("checkpoint-0.json.tmp").write_bytes(b"{")
    assert read_checkpoint(stem).facts["step"] == 3


def test_weights_survive_bytes_and_garbage_is_refused():
    assert torch.equal(decode_weights(encode_weights({"w": torch.ones(3)}))["w"], torch.ones(3))
    with pytest.raises(FormatError, match="safetensors"):
        decode_weights(b"not weights")
