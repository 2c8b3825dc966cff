import torch

from medloop.models.foundation.compute import choose_device, limited_threads, mixed_precision


def test_threads_are_limited_only_inside():
    before = torch.get_num_threads()
    with limited_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_precision_is_what_was_asked():
    layer, device = torch.nn.Linear(4, 4), torch.device("cpu")
    with mixed_precision(device, "bfloat16"):
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with mixed_precision(device, "float32"):
        assert layer(torch.ones(1, 4)).dtype == torch.float32


def test_there_is_always_a_device():
    assert choose_device().type in ("cpu", "cuda")
