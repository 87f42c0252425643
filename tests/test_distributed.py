"""What processes that train together tell each other; two of them, by gloo, on the CPU."""

import sys
import textwrap

import pytest
import torch
from torch import nn

from udeansr import distributed
from udeansr.errors import UdeansrError
from udeansr.networks.discriminator import BatchNorm2d

IN_EACH = """
import sys
import torch
from torch import nn
from udeansr import distributed
from udeansr.errors import UdeansrError
from udeansr.networks.discriminator import BatchNorm2d
from udeansr.training.interruption import StoppedError

with distributed.joined("cpu"):
    rank, found = distributed.rank(), {}
    print("told by", rank)
    found["size"], found["share"] = distributed.size(), list(distributed.share_of_batch(6))
    found["average"] = distributed.average(torch.tensor([1.0, 2.0]) * (rank + 1)).tolist()
    found["agreed"] = distributed.agree((15 if rank else 0, 0, 1))
    found["leader"] = distributed.on_leader(lambda: f"of {rank}")
    errors = []
    for error in (UdeansrError("wrong"), StoppedError(15, "stop"), ValueError(lambda: 0)):
        def fail(error=error):
            raise error
        try:
            distributed.on_leader(fail)
        except Exception as caught:
            errors.append((type(caught).__name__, str(caught)[:12], getattr(caught, "exit_status", None)))
    found["errors"] = errors
    distributed.seed_share(3, 7)
    found["drawn"] = torch.rand(2).tolist()

    torch.manual_seed(0)
    whole = torch.randn(4, 3, 5, 5) * 3 + 100
    share = whole[distributed.share_of_batch(4).start :][:2].clone().requires_grad_()
    norm = BatchNorm2d(3)
    nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    made = norm(share)
    (made**3).mean().backward()
    distributed.average_gradients([*norm.parameters()])
    gradients = [share.grad / 2, norm.weight.grad, norm.bias.grad]
    found["norm"] = [made.detach(), *gradients, norm.running_mean, norm.running_var]
    torch.save(found, f"{sys.argv[1]}/{rank}.pt")
distributed.leave(0)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> list[dict]:
    """What each of two processes has found."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "each.py").write_text(textwrap.dedent(IN_EACH))
    assert distributed.start_together(2, (sys.executable, str(folder / "each.py"), str(folder))) == 0
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]


def test_each_has_its_share_and_all_have_the_mean_and_what_the_leader_found(told):
    assert [one["size"] for one in told] == [2, 2]
    assert [one["share"] for one in told] == [[0, 1, 2], [3, 4, 5]]
    for one in told:
        assert one["average"] == [1.5, 3.0] and one["agreed"] == [15, 0, 1] and one["leader"] == "of 0"
    assert told[0]["drawn"] != told[1]["drawn"]


def test_all_end_in_the_leaders_error(told):
    leader, other = (one["errors"] for one in told)
    assert leader[:2] == other[:2] == [("UdeansrError", "wrong", None), ("StoppedError", "stop", 143)]
    assert leader[2][0] == "ValueError" and other[2][:2] == ("RuntimeError", "ValueError: ")  # it cannot be sent


def test_batch_normalisation_sees_one_batch(told):
    torch.manual_seed(0)
    whole = (torch.randn(4, 3, 5, 5) * 3 + 100).requires_grad_()
    norm = nn.BatchNorm2d(3)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    made = norm(whole)
    (made**3).mean().backward()
    for number, one in enumerate(told):
        own = slice(2 * number, 2 * number + 2)
        expected = (made[own], whole.grad[own], norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var)
        for ours, theirs in zip(one["norm"], expected, strict=True):
            torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-5)


def test_alone_nothing_is_shared():
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    distributed.average_gradients([weight])
    assert weight.grad.tolist() == [1.0, 2.0] and distributed.agree((0, 3)) == [0, 3]
    assert distributed.is_leader() and distributed.share_of_batch(5) == range(5)
    with distributed.joined("cpu"):
        assert distributed.size() == 1
    before = torch.random.get_rng_state()
    distributed.seed_share(1, 2)
    assert torch.equal(before, torch.random.get_rng_state())
    norm = BatchNorm2d(3)
    assert norm.synchronized and norm(torch.randn(2, 3, 4, 4)).shape == (2, 3, 4, 4)


def test_a_batch_that_cannot_be_shared_out_and_too_few_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 4)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert distributed.share_of_batch(8) == range(2, 4)
    with pytest.raises(UdeansrError, match=r"a batch of 6 among 4 processes; .* --batch-size 4"):
        distributed.share_of_batch(6)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.own_device(torch.device("cuda")) == torch.device("cuda", 1)
    assert distributed.own_device(torch.device("cpu")) == torch.device("cpu")
    for device, there in (("cuda:0", 2), ("cuda", 1)):
        monkeypatch.setattr(torch.cuda, "device_count", lambda there=there: there)
        with pytest.raises(UdeansrError, match="expected a GPU for each"):
            distributed.own_device(torch.device(device))


def test_a_killed_process_is_told(tmp_path):
    script = "import os, time\nif os.environ['RANK'] == '1': os.kill(os.getpid(), 9)\ntime.sleep(60)"
    with pytest.raises(UdeansrError, match=r"process 1 of 2 was ended by SIGKILL, .* --continue"):
        distributed.start_together(2, (sys.executable, "-c", script))
    assert distributed.start_together(2, (sys.executable, "-c", "raise SystemExit(3)")) == 3
