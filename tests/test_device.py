from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch

from udeansr import device as module
from udeansr.device import (
    autocast,
    bf16_gain,
    choose_device,
    choose_precision,
    describe_device,
    is_out_of_memory,
    memory_guard,
    non_finite,
    shapes_that_change,
    threads_for_load,
    wait_for,
    without_autocast,
)
from udeansr.errors import UdeansrError

CPU = torch.device("cpu")


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert "cpu (" in describe_device(CPU)


@pytest.mark.parametrize(
    ("name", "text"),
    [("gpu", "device 'gpu' is no device; expected auto or one of cpu"), ("cuda:99", "device 'cuda:99' is not on this")],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name, text) -> None:
    with pytest.raises(UdeansrError, match=text):
        choose_device(name)


@pytest.mark.parametrize(
    ("able", "gain", "chosen"), [(True, 2.0, "bf16"), (True, 1.1, "fp32"), (True, 0.3, "fp32"), (False, 2.0, "fp32")]
)
def test_auto_takes_bf16_where_the_cpu_is_faster_in_it(monkeypatch, able, gain, chosen) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": able}, raising=False)
    monkeypatch.setattr(module, "bf16_gain", lambda: gain)
    assert choose_precision("auto", CPU) == chosen
    assert choose_precision("fp32", CPU) == "fp32"


def test_the_gain_of_bf16_is_timed_in_turns_once_and_uses_up_nothing_random(monkeypatch) -> None:
    dtypes, clock = [], [0.0]
    forward = torch.nn.Conv2d.forward

    def slow(self, image):
        dtypes.append(image.dtype)
        clock[0] += 3.0 if image.dtype == torch.float32 else 2.0
        return forward(self, image)

    monkeypatch.setattr(torch.nn.Conv2d, "forward", slow)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    bf16_gain.cache_clear()
    try:
        with torch.no_grad():
            assert bf16_gain() == bf16_gain() == 1.5
    finally:
        bf16_gain.cache_clear()
    assert torch.equal(torch.rand(4), expected)
    assert dtypes == [torch.float32, torch.bfloat16] * 6


def test_an_older_torch_says_nothing_of_the_cpu_and_gets_fp32(monkeypatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) == "fp32"


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_takes_fp16_on_older_cuda(monkeypatch, capability, chosen) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda:0")) == chosen


def test_fp16_needs_cuda() -> None:
    with pytest.raises(
        UdeansrError, match="precision fp16 needs CUDA, the device is cpu; take --precision bf16 or fp32"
    ):
        choose_precision("fp16", CPU)


def test_emulated_bf16_is_taken_with_a_warning(monkeypatch, caplog) -> None:
    monkeypatch.setattr(module, "_computes_in_bf16", lambda device: False)
    with caplog.at_level(logging.WARNING):
        assert choose_precision("bf16", CPU) == "bf16"
    assert "cpu gains nothing by bf16" in caplog.text


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_networks_compute_in_the_precision(name, dtype) -> None:
    layer = torch.nn.Linear(2, 2)
    with autocast(CPU, name):
        assert layer(torch.ones(1, 2)).dtype == dtype
    assert layer(torch.ones(1, 2)).dtype == torch.float32


def test_a_weight_used_without_gradient_first_has_one_after() -> None:
    layer = torch.nn.Linear(2, 2)
    with autocast(CPU, "bf16"):
        with torch.no_grad():
            layer(torch.ones(1, 2))
        loss = layer(torch.ones(1, 2)).sum()
    loss.backward()
    assert layer.weight.grad is not None


def test_fp32_is_no_context_at_all() -> None:
    with torch.autocast("cpu", torch.bfloat16), autocast(CPU, "fp32"):
        assert torch.is_autocast_enabled("cpu")


def test_out_of_memory_is_one_line_that_says_what_was_too_much() -> None:
    with pytest.raises(UdeansrError, match=r"cpu: out of memory with 8 slabs; .*take fewer$"):  # noqa: SIM117
        with memory_guard(CPU, "8 slabs", "take fewer"):
            raise torch.cuda.OutOfMemoryError
    with pytest.raises(RuntimeError, match="other"), memory_guard(CPU, "8 slabs", "take fewer"):
        raise RuntimeError("other")


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_is_named(loss) -> None:
    assert non_finite({"a": 1.0, "b": -2.0}) == ""
    assert non_finite({"a": 1.0, "b": loss}) == f"a loss is not finite (a 1, b {loss})"


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp:128] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 B",
    ],
)
def test_memory_that_another_library_misses_is_told_alike(text) -> None:
    assert is_out_of_memory(RuntimeError(text))
    with pytest.raises(UdeansrError, match="out of memory with 8 slabs"), memory_guard(CPU, "8 slabs", "take fewer"):
        raise RuntimeError(text)
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError(text))


@pytest.fixture
def tf32() -> Iterator[None]:
    places = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [place.allow_tf32 for place in places]
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    for place, value in zip(places, before, strict=True):
        place.allow_tf32 = value


def test_fp32_that_is_asked_for_is_no_tf32(tf32, caplog) -> None:
    with caplog.at_level(logging.INFO):
        choose_precision("fp32", CPU)
        assert torch.backends.cudnn.allow_tf32
        assert choose_precision("fp32", torch.device("cuda")) == "fp32"
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert "TF32" in caplog.text


def test_cudnn_does_not_search_where_shapes_change(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    with pytest.raises(RuntimeError), shapes_that_change():
        assert not torch.backends.cudnn.benchmark
        raise RuntimeError
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize(("load", "threads"), [(0.1, 4), (1.2, 3), (3.4, 1), (9.0, 1)])
def test_threads_are_as_many_as_idle_cores(monkeypatch, load, threads) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(4)), raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert threads_for_load() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_for_load() is None


def test_nothing_is_cast_on_a_device_without_autocast() -> None:
    with without_autocast(torch.device("meta")):
        pass
    with torch.autocast("cpu", torch.bfloat16), without_autocast(CPU):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
    wait_for(CPU)
