"""On which device and in which precision to compute, and what to say when memory or numbers run out."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    import torch  # seconds; it is imported where it is used, so that a refusal does not wait for it

Precision = Literal["auto", "bf16", "fp16", "fp32"]
"""The number format of networks by name; ``auto`` is the device's own."""

_FIRST_CUDA_WITH_BF16 = (8, 0)

logger = logging.getLogger(__name__)


def half_precision(precision: str) -> torch.dtype | None:
    """The half precision of a name, "bf16" or "fp16"; None for "fp32"."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the first CUDA device, else Apple's (MPS), else the CPU.

    Raises:
        UdeansrError: if this machine, or this build of torch, has no such device.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count())), *(["mps"] if mps else [])]
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UdeansrError(f"device '{name}' is no device; expected auto or one of {', '.join(there)}") from error
    wanted = f"cuda:{device.index or 0}" if device.type == "cuda" else device.type
    if wanted not in there:
        raise UdeansrError(f"device '{name}' is not on this machine; expected auto or one of {', '.join(there)}")
    return device


def choose_precision(name: str, device: torch.device) -> str:
    """The number format of a name; ``auto`` is bf16 where the device computes in it, else fp16 on CUDA, else fp32.

    A CPU computes in bf16 where a convolution in it, timed here, is faster than in fp32.

    To ask for fp32 on CUDA switches TF32 off, which convolutions take by default.

    Raises:
        UdeansrError: if fp16 is asked for on a device that is not CUDA.
    """
    import torch

    if name == "auto":
        if _computes_in_bf16(device):
            return "bf16"
        return "fp16" if device.type == "cuda" else "fp32"
    if name == "fp16" and device.type != "cuda":
        raise UdeansrError(f"precision fp16 needs CUDA, the device is {device}; take --precision bf16 or fp32")
    if name == "fp32" and device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        logger.info("fp32 is float32 throughout: TF32, which rounds what convolutions multiply to 10 bits, is off")
    if name == "bf16" and not _computes_in_bf16(device):
        logger.warning("%s gains nothing by bf16, which it may have to emulate: take --precision fp32", device)
    return name


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """The context in which networks are run; of "fp32" one that changes nothing.

    Casts of weights are not cached: a cast made under ``no_grad`` would be used again where a gradient is needed,
    and gradients of a network that is used twice would be summed in low precision.
    """
    import torch

    half = half_precision(precision)
    return nullcontext() if half is None else torch.autocast(device.type, dtype=half, cache_enabled=False)


def without_autocast(device: torch.device) -> AbstractContextManager:
    """The context in which nothing is cast, whatever is around; nothing on a device that has no autocast."""
    import torch

    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()


@contextmanager
def memory_guard(device: torch.device, load: str, remedy: str) -> Iterator[None]:
    """Say in one line that a device has run out of memory.

    Args:
        device: on which the block computes.
        load: what was too much: "8 slabs in a batch".
        remedy: what to do.
    Raises:
        UdeansrError: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UdeansrError(f"{device}: out of memory with {load}; end other programs on it, or {remedy}") from error


_NO_MEMORY = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory")
"""What torch, cuBLAS, cuDNN, MPS and the CPU's allocator say of memory, in errors that are no OutOfMemoryError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device has no memory left, whichever library met with it."""
    import torch

    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


@contextmanager
def shapes_that_change() -> Iterator[None]:
    """Let cuDNN not search for the fastest algorithm anew at each shape, as it does where a training sets it to."""
    import torch

    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def threads_for_load() -> int | None:
    """Torch's threads for this computer as busy as it is: one for each idle core; None where the user has set them.

    Threads that find no core of their own wait for one another, spinning.
    """
    import os

    import torch

    if any(os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")):
        return None
    affinity = getattr(os, "sched_getaffinity", None)  # not everywhere
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, min(torch.get_num_threads(), round(cores - busy)))


def wait_for(device: torch.device) -> None:
    """Return once a device has computed all that it was given."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def non_finite(losses: Mapping[str, float]) -> str:
    """What to say of losses that are not all finite numbers; "" if they are."""
    if all(math.isfinite(loss) for loss in losses.values()):
        return ""
    return f"a loss is not finite ({', '.join(f'{name} {loss:.4g}' for name, loss in losses.items())})"


def describe_device(device: torch.device) -> str:
    """The device in words a person knows it by."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def _computes_in_bf16(device: torch.device) -> bool:
    """Whether networks are worth computing in bf16 on a device."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _FIRST_CUDA_WITH_BF16
    capabilities = getattr(torch.cpu, "get_capabilities", None)  # newer than the oldest torch we take
    if device.type != "cpu" or capabilities is None:
        return False
    has = capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16")) and bf16_gain() >= LEAST_GAIN


LEAST_GAIN = 1.2
"""How many times as fast as fp32 a CPU has to be in bf16, so that the casts on both sides pay."""


@functools.cache
def bf16_gain() -> float:
    """How many times as fast this CPU computes a convolution in bf16 as in fp32, there and back; some 0.1 s, once.

    Instructions for bf16 say little: some CPUs split each into two passes, and some builds of torch do not use them.
    """
    import time

    import torch

    def begin(dtype: torch.dtype) -> tuple[torch.nn.Conv2d, torch.Tensor]:
        convolution = torch.nn.Conv2d(32, 32, 3, padding=1, dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.ones(2, 32, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
        return convolution, image.requires_grad_()

    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        seconds: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
        parts = {dtype: begin(dtype) for dtype in seconds}
        for _ in range(6):  # in turns; the fastest counts, as other work only slows down
            for dtype, (convolution, image) in parts.items():
                begun = time.perf_counter()
                convolution(image).sum().backward()
                seconds[dtype].append(time.perf_counter() - begun)
    return min(seconds[torch.float32]) / min(seconds[torch.bfloat16])
