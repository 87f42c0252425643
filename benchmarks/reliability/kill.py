"""Kills commands at random moments, gives them again, and compares what they leave with an undisturbed run.

    python benchmarks/reliability/kill.py --stage plan,preprocess,train,export,benchmark,simulate --kills 50 -o kills/

Each round: the command begins in a folder of its own, is killed (SIGKILL; every other time it alone, else with all of
its processes) at a moment drawn uniformly from the duration of an undisturbed run, and the same command line is given
again at once. Then every file has to be
as after the undisturbed run, bit for bit but for measured times, and nothing else may be there: no hidden file, no
lock. Between the kill and the second call every file under its own name has to be whole. Commands run in forks of a
process that has imported what they need, so that kills meet their work and not Python's start.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udeansr.image.cropping import crop
from udeansr.image.files import read_volume, write_volume
from udeansr.image.nifti import check_whole
from udeansr.models.model_file import read_model
from udeansr.progress import progress_bar
from udeansr.strict_json import write_json
from udeansr.training.checkpoint import load_checkpoint

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
NAME = EXAMPLE.name
SETUP = "setup"
MODULES = ("simulate", "plan_and_preprocess", "train", "predict", "evaluate", "models", "benchmark")
HEAVY = (
    *("planning.plan_dataset", "preprocessing.preprocessor", "training.train", "models.export", "prediction.predict"),
    *("evaluation.evaluate", "benchmark.bench", "figures.all_figures", "degradation.simulation"),
)
"""Imported before anything is timed."""


@dataclass(frozen=True)
class Stage:
    """What is killed.

    Attributes:
        words: the command line, from the folder of the setup and that of the run; the first word names the module.
        again: what is added when it is given again.
        before: folders of the setup that are copied into the run first.
        earliest: part of the duration before which nothing of interest is done.
    """

    words: Callable[[Path, Path], Iterable[object]]
    again: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    earliest: float = 0.0


def _plan(setup: Path, run: Path) -> list[object]:
    memory = ("--memory-gb", 0, "--processes", 1)
    return ["plan_and_preprocess", "-d", "001", *memory, "--raw", setup / "raw", "--preprocessed", run / "preprocessed"]


def _train(setup: Path, run: Path) -> list[object]:
    length = ("--epochs", 3, "--iterations-per-epoch", 4, "--batch-size", 2, "--checkpoint-minutes", 1e-6)
    where = ("--device", "cpu", "--precision", "fp32", "--preprocessed", setup / "preprocessed")
    return ["train", "001", "x2x2x2", *length, *where, "--results", run / "results"]


def _export(setup: Path, run: Path) -> list[object]:
    training = setup / "results" / NAME / "x2x2x2" / "supervised"
    return ["models", "export", "-m", training, "-o", run / "model.zip"]


def _predict(setup: Path, run: Path) -> list[object]:
    training = setup / "results" / NAME / "x2x2x2" / "supervised"
    how = ("--json", "--uncertainty", "--quality", "balanced", "--device", "cpu", "--precision", "fp32")
    return ["predict", "-i", setup / "raw" / NAME / "testLR", "-o", run / "sr", "-m", training, *how]


def _benchmark(setup: Path, run: Path) -> list[object]:
    length = ("--memory-gb", 0, "--epochs", 2, "--iterations-per-epoch", 2, "--processes", 1)
    rows = ("--rows", "tricubic", "--row", "small=supervised@measured:run.batch_size=1")
    return ["benchmark", "-i", setup / "raw" / NAME, "-o", run / "out", "--scales", "x2x2x2", *length, *rows]


def _simulate(setup: Path, run: Path) -> list[object]:
    counts = ("--source", 1, "--target", 1, "--validation", 1, "--test", 1, "--processes", 1)
    output = ("-o", run / "raw" / "Dataset002_Kill", "--scale", "x2x2x2", "--degradation", "shifted", "--overwrite")
    return ["simulate", "-i", setup / "raw" / NAME / "sourceHR", *counts, *output]


STAGES = {
    "simulate": Stage(_simulate),
    "plan": Stage(lambda setup, run: [*_plan(setup, run), "--no-preprocess"]),
    "preprocess": Stage(_plan, before=("planned",), earliest=0.8),
    "train": Stage(_train, again=("--continue",)),
    "train_in_stages": Stage(
        lambda setup, run: [*_train(setup, run), "--method", "dasr", "--workers", 2], again=("--continue",)
    ),
    "export": Stage(_export),
    "predict": Stage(_predict, again=("--continue",)),
    "benchmark": Stage(_benchmark),
}
"""Everything that can be killed, by its name on the command line."""


def command_process(words: Iterable[object], log: Path) -> int:
    """Begin a command in a fork of this process, as leader of a group of its own; returns its process id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        command, *rest = map(str, words)
        sys.argv = [f"udeansr_{command}", *rest]
        importlib.import_module(f"udeansr.cli.{command}").main()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(process: int) -> int:
    """Wait for a process; its exit status, below 0 where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def call(words: Iterable[object], log: Path) -> None:
    """Run a command to its end, which has to be a good one."""
    if status := ended(command_process(words, log)):
        raise SystemExit(f"status {status}, see {log}: {' '.join(map(str, words))}")


def make_setup(folder: Path) -> None:
    """What the stages begin with: the middle of each image of the example, a plan, arrays, and a training of them."""
    if (folder / "results").is_dir():
        return
    shutil.rmtree(folder, ignore_errors=True)
    raw = folder / "raw" / NAME
    for path in sorted(EXAMPLE.rglob("*.nii.gz")):
        volume, factor = read_volume(path), 2 if path.parent.name.endswith("HR") else 1
        sides = [factor * side for side in (10, 16, 16)]
        start = [(n - side) // 2 for n, side in zip(volume.voxels.shape, sides, strict=True)]
        write_volume(crop(volume, (tuple(start), tuple(sides))), raw / path.parent.name / path.name)  # type: ignore[arg-type]
    for path in EXAMPLE.glob("*.json"):
        shutil.copy(path, raw)
    log = folder / "log.txt"
    call([*_plan(folder, folder), "--no-preprocess"], log)
    plans = folder / "preprocessed" / NAME / "plans.json"
    plan = json.loads(plans.read_text())
    for configuration in plan["configurations"].values():
        size = {"features": 4, "groups": 1, "blocks": 1, "discriminator_features": 4, "patch_size": [8, 8]}
        configuration.get("size", configuration).update(size)
    plans.write_text(json.dumps(plan, indent=2))
    shutil.copytree(folder / "preprocessed", folder / "planned" / "preprocessed")
    call(_plan(folder, folder), log)
    call(_train(folder, folder), log)


def made(folder: Path) -> dict[str, str]:
    """What lies in a folder: a digest of each file, the times that were measured left out, by its path."""
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "log.txt"
    }


TIMES = ("seconds", "prediction_seconds", "memory_gb", "command", "date")
"""Keys under which times stand; and the command line, which may have another word the second time."""

ONLY_THERE = ("training.log", "benchmark.md", "benchmark.csv")
"""Files in which nothing but their being there is compared: they tell times between the words."""


def _digest(path: Path) -> str:
    content: Any = path.read_bytes()
    if path.name in ONLY_THERE:
        content = b""
    elif path.suffix == ".pt":
        content = _timeless(load_checkpoint(path))
    elif path.suffix in (".json", ".jsonl"):
        content = _timeless([json.loads(line) for line in _lines(path)])
    elif path.suffix == ".pdf":
        content = re.sub(rb"/CreationDate \([^)]*\)", b"", content)
    return hashlib.sha256(content if isinstance(content, bytes) else repr(content).encode()).hexdigest()


def _lines(path: Path) -> list[str]:
    text = path.read_text()
    return text.splitlines() if path.suffix == ".jsonl" else [text]


def _timeless(value: Any) -> Any:
    """The same without measured times, tensors as digests of all their bits."""
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list | tuple):
        return [_timeless(item) for item in value]
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), hashlib.sha256(value.numpy().tobytes()).hexdigest()
    return value


def broken(folder: Path) -> list[str]:
    """The files under their own name, not a hidden one, that cannot be read whole."""
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: json.loads(path.read_text()),
        ".jsonl": lambda path: [json.loads(line) for line in _lines(path)],
        ".npy": np.load,
        ".pt": load_checkpoint,
        ".gz": check_whole,
        ".zip": read_model,
    }
    found = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix in readers:
            try:
                readers[path.suffix](path)
            except Exception as error:
                found.append(f"{path.relative_to(folder)} is half-written ({error})")
    return found


@dataclass
class Round:
    """What came of one kill.

    Attributes:
        moment: of the kill, seconds after the beginning.
        there: files that lay there then.
        faults: in words; empty if all is as after an undisturbed run.
    """

    moment: float
    there: int
    faults: list[str]


def kill_once(
    stage: Stage, setup: Path, run: Path, moment: float, alone: bool, expected: dict[str, str]
) -> Round | None:
    """One round; None if the command had ended before the moment came."""
    begin(stage, setup, run)
    words, log = list(stage.words(setup, run)), run / "log.txt"
    process = command_process(words, log)
    time.sleep(moment)
    (os.kill if alone else os.killpg)(process, signal.SIGKILL)
    if ended(process) != -signal.SIGKILL:
        return None
    faults, there = broken(run), len(made_names(run))
    status = ended(command_process([*words, *stage.again], log))
    if status:
        faults.append(f"status {status}: {log.read_text().strip().splitlines()[-1]}")
    faults += [f"{name} was left behind" for name in made_names(run) if "/." in f"/{name}"]
    found = {} if status else made(run)
    faults += [f"{name} is missing" for name in expected if found and name not in found]
    faults += [f"{name} is another" for name in expected if found.get(name, expected[name]) != expected[name]]
    faults += [f"{name} is too much" for name in found if name not in expected and "/." not in f"/{name}"]
    return Round(moment, there, faults)


def made_names(run: Path) -> list[str]:
    """All files of a run, hidden ones too."""
    names = [path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()]
    return sorted(name for name in names if name != "log.txt")


def begin(stage: Stage, setup: Path, run: Path) -> None:
    """Make the folder of a run anew."""
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    for name in stage.before:
        shutil.copytree(setup / name, run, dirs_exist_ok=True)


def kill(name: str, kills: int, folder: Path, seed: int) -> list[Round]:
    """Kill a stage so often; prints what came of it."""
    stage, setup, run = STAGES[name], folder / SETUP, folder / name
    seconds, expected = [], {}
    for _ in range(2):  # twice, so that what differs by itself is found out
        begin(stage, setup, run)
        begun = time.monotonic()
        call(stage.words(setup, run), run / "log.txt")
        seconds.append(time.monotonic() - begun)
        if expected and expected != made(run):
            raise SystemExit(f"{name}: two undisturbed runs differ, so that nothing can be compared")
        expected = made(run)
    chance, rounds, late = random.Random(f"{name} {seed}"), [], 0
    with progress_bar(f"killing {name}", kills) as bar:
        while len(rounds) < kills:
            moment = chance.uniform(stage.earliest, 1) * min(seconds)
            done = kill_once(stage, setup, run, moment, len(rounds) % 2 == 1, expected)
            late += done is None
            if done is None:
                continue
            rounds.append(done)
            bar.update()
            for fault in done.faults:
                print(f"{name}, killed after {done.moment:.2f} s: {fault}", flush=True)
    between = sum(one.there > 0 for one in rounds)
    good = sum(not one.faults for one in rounds)
    print(
        f"{name}: {len(rounds)} kills within {min(seconds):.1f} s ({between} with files there already, {late} more "
        f"came too late); {good} times all of {len(expected)} files as undisturbed and nothing else left",
        flush=True,
    )
    return rounds


def main() -> None:
    """Kill what was asked for, and leave with status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=",".join(STAGES), help="which commands, comma-separated")
    parser.add_argument("--kills", type=int, default=50, help="of each")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to work in; kills.json goes there")
    options = parser.parse_args()
    names = options.stage.split(",")
    if odd := sorted(set(names) - set(STAGES)):
        parser.error(f"no stage {odd[0]}; there are {', '.join(STAGES)}")
    torch.set_num_threads(1)
    for module in MODULES:
        importlib.import_module(f"udeansr.cli.{module}")
    for module in HEAVY:
        importlib.import_module(f"udeansr.{module}")
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make_setup(folder / SETUP)
    rounds: dict[str, list[Round]] = {}
    for name in names:
        rounds[name] = kill(name, options.kills, folder, options.seed)
        told = {name: [vars(one) for one in done] for name, done in rounds.items()}
        write_json(told, folder / "kills.json")
    if any(one.faults for done in rounds.values() for one in done):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
