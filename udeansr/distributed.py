"""Several processes that train one model, each on its share of every batch: torch.distributed, as torchrun starts it.

Each process (a rank) draws its own slabs of a batch and computes their gradients; the mean over all ranks is what one
process would have computed of the whole batch. Rank 0, the leader, alone reads and writes files and validates; what it
finds, or fails of, all ranks are told. A process that was started alone is its own leader, and waits for nobody.

Gradients are summed in one call for each player after its backward pass, not by ``DistributedDataParallel``, whose
hooks want each weight to get a gradient in each pass of one module: a turn here is backward through several networks,
some of them frozen, some used more than once.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from udeansr.errors import UdeansrError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

PATIENCE = timedelta(hours=2)
"""For the leader, while it validates or writes; a process that is gone is noticed at once."""

Result = TypeVar("Result")


def size() -> int:
    """How many processes train together."""
    torch_distributed = sys.modules.get("torch.distributed")  # who has not joined need not import it
    joined_ = torch_distributed is not None and torch_distributed.is_available() and torch_distributed.is_initialized()
    return torch_distributed.get_world_size() if joined_ else 1  # type: ignore[union-attr]


def rank() -> int:
    """Which of them this is, from 0."""
    return 0 if size() == 1 else sys.modules["torch.distributed"].get_rank()


def is_leader() -> bool:
    """Whether this process reads, writes and validates."""
    return rank() == 0


def was_started_together() -> bool:
    """Whether torchrun, or what sets its variables, started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1 and "RANK" in os.environ


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that were started together with this one; all but the leader are silent meanwhile.

    Args:
        device: on which networks will be trained, as the user has said it.
    Raises:
        UdeansrError: if one of the others is lost.
    """
    if not was_started_together():
        yield
        return
    import torch

    on_cuda = torch.cuda.is_available() and device.partition(":")[0] in ("auto", "cuda")
    if on_cuda:
        torch.cuda.set_device(_local_rank() % torch.cuda.device_count())
    try:
        torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if on_cuda else "gloo", timeout=PATIENCE)
        if is_leader():
            yield
        else:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
                logging.disable(logging.CRITICAL)
                yield
    except UdeansrError as error:
        error.told = error.told or not _is_first_to_tell(str(error))
        raise
    except RuntimeError as error:
        if not _is_of_connection(error):
            raise
        told = UdeansrError(
            "another process of this training was lost, so it stopped; the last checkpoint stands: see above why, and "
            "go on with the same command and --continue"
        )
        told.told = not is_leader()
        raise told from error
    torch.distributed.barrier()  # nobody leaves while another still waits for him
    torch.distributed.destroy_process_group()  # not after an error: the others may be gone


def leave(status: int) -> None:
    """End this process at once, if it was started with others: threads of gloo may abort it while Python ends."""
    if was_started_together():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def start_together(processes: int, program: Sequence[str]) -> int:
    """Run a program in several processes of this machine, as torchrun does, until all have ended or one has failed.

    SIGTERM and Ctrl-C are handed on to all of them.

    Args:
        processes: how many.
        program: what to run, its words.
    Returns: the exit status: 0, or that of the process that failed first.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for teller in ("agent.server.api", "multiprocessing.api"):  # of each signal, in words of its own
        logging.getLogger(f"torch.distributed.elastic.{teller}").disabled = True
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
    )
    first, *words = program
    try:
        elastic_launch(config, first)(*words)
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            return failure.exitcode
        killed = signal.Signals(-failure.exitcode).name
        raise UdeansrError(
            f"process {number} of {processes} was ended by {killed}, so training stopped; the last checkpoint stands: "
            "go on with the same command and --continue"
        ) from None
    except SignalException as stop:
        return 128 + stop.sigval
    return 0


def own_device(device: torch.device) -> torch.device:
    """The device of this process: of several on a machine each has a GPU of its own.

    Raises:
        UdeansrError: if one GPU was named for all, or there are fewer GPUs than processes.
    """
    import torch

    if size() == 1 or device.type != "cuda":
        return device
    there = torch.cuda.device_count()
    if device.index is not None or _local_rank() >= there:
        raise UdeansrError(
            f"{os.environ.get('LOCAL_WORLD_SIZE', size())} processes on this machine, device {device}, {there} GPUs; "
            "expected a GPU for each: start fewer, with --device cuda"
        )
    return torch.device("cuda", _local_rank())


def share_of_batch(batch_size: int) -> range:
    """The elements of a batch that are this process' own.

    Raises:
        UdeansrError: if the batch cannot be shared out evenly.
    """
    own, left = divmod(batch_size, size())
    if left:
        raise UdeansrError(
            f"a batch of {batch_size} among {size()} processes; expected a batch that they can share evenly: give "
            f"--batch-size {max(own, 1) * size()}, or start fewer"
        )
    return range(rank() * own, (rank() + 1) * own)


def seed_share(seed: int, iteration: int) -> None:
    """Let what is drawn at random in an iteration differ between the processes, and be the same when it is repeated.

    Alone, a process draws on as it did.
    """
    if size() > 1:
        import torch

        torch.manual_seed((seed * 1_000_003 + iteration) * 65_537 + rank())


def average_gradients(weights: Sequence[nn.Parameter]) -> None:
    """Replace the gradients of weights by their mean over all processes."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if size() == 1 or not gradients:
        return
    import torch

    together = torch.cat([gradient.reshape(-1) for gradient in gradients])
    parts = average(together).split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(  # type: ignore[reportPrivateImportUsage]
        gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)]
    )


def average(values: Tensor) -> Tensor:
    """The mean of a tensor over all processes, in place; no gradient goes through it."""
    if size() > 1:
        import torch

        torch.distributed.all_reduce(values)
        values /= size()
    return values


def agree(wishes: Sequence[int]) -> list[int]:
    """The largest of each number among all processes, so that all decide alike."""
    if size() == 1:
        return list(wishes)
    import torch

    agreed = torch.tensor(wishes)
    torch.distributed.all_reduce(agreed, torch.distributed.ReduceOp.MAX)
    return agreed.tolist()


def on_leader(action: Callable[[], Result]) -> Result:
    """Have the leader do something; all processes get what came of it, or the exception that it ended in.

    Args:
        action: what it gives and raises can be pickled, or is told as text.
    """
    if size() == 1:
        return action()
    import torch

    outcome: list[Any] = [None]
    failed: BaseException | None = None
    if is_leader():
        try:
            outcome = [(True, action())]
        except Exception as error:
            failed, outcome = error, [(False, _as_sent(error))]
    torch.distributed.broadcast_object_list(outcome, device=torch.device("cpu"))
    if failed is not None:
        raise failed
    went_well, given = outcome[0]
    if not went_well:
        given.told = True
        raise given
    return given


def _as_sent(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _is_first_to_tell(message: str) -> bool:
    """Whether no other process has said the same: what is wrong with the user's words all of them find."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        return _get_default_store().add(f"told {message}", 1) == 1
    except (RuntimeError, ValueError):  # whoever held the store is gone
        return True


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", rank()))


def _is_of_connection(error: RuntimeError) -> bool:
    """Whether an error is that of a process that is gone, in the words of gloo, NCCL or torch's store."""
    import torch

    return isinstance(error, torch.distributed.DistError) or any(
        word in str(error) for word in ("gloo", "NCCL", "Connection reset", "Broken pipe")
    )
