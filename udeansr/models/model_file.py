"""A trained model as one file that can be sent around: a zip of plan, settings, weights and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from udeansr.errors import UdeansrError
from udeansr.files import write_whole
from udeansr.models.description import ModelDescription

if TYPE_CHECKING:
    from torch import Tensor  # it takes seconds, and reading a description needs none of it

CHECKSUMS = "SHA256SUMS"
_LONGEST_CHECKSUMS_BYTES = 4096

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that zip knows: a file shall not change because a day has passed."""


def write_archive(path: Path, members: Mapping[str, bytes]) -> None:
    """Write members and their checksums, whole or not at all; the same members give the same bytes.

    Nothing is compressed: weights hardly shrink, other versions of the compressor would give other bytes, and a reader
    can tell from the size of the file how much is in it.

    Args:
        path: the file; its folder is made, an existing file is replaced.
        members: contents by name.
    Raises:
        UdeansrError: if it cannot be written.
    """
    sums = "".join(f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in sorted(members))
    content = BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        for name, member in sorted({**members, CHECKSUMS: sums.encode()}.items()):
            entry = ZipInfo(name, _FIRST_DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as Unix writes it, wherever it is written
            archive.writestr(entry, member)
    write_whole(path, content.getvalue())


def read_archive(
    path: Path, limits_bytes: Mapping[str, int], wanted: tuple[str, ...] | None = None
) -> dict[str, bytes]:
    """Read members of what :func:`write_archive` wrote, each held against its checksum.

    Nothing is unpacked to the disk. Sizes are held against the limits before anything is read.

    Args:
        path: the file, from anywhere.
        limits_bytes: the names of all members but the checksums, and how long each may be.
        wanted: the members to read; None for all.
    Raises:
        UdeansrError: if the file is missing, no such zip, broken, or has a member that is unknown, missing, twice
            there, compressed, too long or changed.
    """
    if not path.is_file():
        raise UdeansrError(f"{path}: there is no such file; expected a model that udeansr_models export wrote")
    try:
        with ZipFile(path) as archive:
            _check_members(path, archive, {**limits_bytes, CHECKSUMS: _LONGEST_CHECKSUMS_BYTES})
            sums = _checksums(path, archive.read(CHECKSUMS), set(limits_bytes))
            members = {name: archive.read(name) for name in (wanted or tuple(limits_bytes))}
    except (BadZipFile, EOFError, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise _foreign(path, "no zip, or a broken one") from error
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise UdeansrError(
                f"{path}: {name} has another checksum than {CHECKSUMS} says: it was damaged or changed on its way; "
                "get the file again"
            )
    return members


def _check_members(path: Path, archive: ZipFile, limits_bytes: Mapping[str, int]) -> None:
    """Hold the list of members, which is all that was read so far, to what is expected."""
    seen: set[str] = set()
    for entry in archive.infolist():
        if entry.filename not in limits_bytes:
            raise _foreign(path, f"it holds {entry.filename!r}")
        if entry.filename in seen:
            raise _foreign(path, f"it holds {entry.filename} twice")
        if entry.compress_type != ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise _foreign(path, f"its {entry.filename} is compressed or encrypted")
        if entry.file_size > limits_bytes[entry.filename]:
            limit = limits_bytes[entry.filename]
            raise _foreign(path, f"its {entry.filename} has {entry.file_size} bytes, and {limit} are allowed")
        seen.add(entry.filename)
    missing = sorted(set(limits_bytes) - seen)
    if missing:
        raise _foreign(path, f"it has no {missing[0]}")


def _checksums(path: Path, content: bytes, names: set[str]) -> dict[str, str]:
    """The checksum of each member."""
    lines = [line.split("  ", 1) for line in content.decode("ascii", "replace").splitlines()]
    sums = {line[1]: line[0] for line in lines if len(line) == 2}
    if set(sums) != names:
        raise _foreign(path, f"its {CHECKSUMS} does not list {', '.join(sorted(names))}")
    return sums


def _foreign(path: Path, trouble: str) -> UdeansrError:
    return UdeansrError(f"{path}: {trouble}; expected a model that udeansr_models export wrote, as it wrote it")


DESCRIPTION, WEIGHTS, CARD = "model.json", "weights.safetensors", "card.md"
LIMITS_BYTES = {DESCRIPTION: 2**24, WEIGHTS: 2**29, CARD: 2**20}
"""How long a member may be; a network of the paper's size has some 10 MB of weights."""


def write_model(
    path: Path, description: ModelDescription, weights: dict[str, Tensor], card: str, *, half: bool
) -> None:
    """Write a model, whole or not at all; the same model gives the same bytes.

    Args:
        path: the zip.
        description: of the model.
        weights: what prediction needs, by name.
        card: Markdown for people.
        half: whether weights are stored in float16 (half the size), or in float32.
    Raises:
        UdeansrError: if it cannot be written, or a weight is too large for float16.
    """
    import safetensors.torch
    import torch

    kind = torch.float16 if half else torch.float32
    stored = {name: weight.detach().cpu().to(kind).contiguous() for name, weight in weights.items()}
    for name, weight in stored.items():
        if not torch.isfinite(weight).all():
            raise UdeansrError(
                f"{path}: the weight {name} is not finite in {'float16' if half else 'float32'}; "
                + ("export with --float32" if half else "train again")
            )
    text = json.dumps(description.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    members = {DESCRIPTION: text.encode(), WEIGHTS: safetensors.torch.save(stored), CARD: card.encode()}
    write_archive(path, members)


def read_description(path: Path) -> ModelDescription:
    """Read what a model is, without its weights.

    Raises:
        UdeansrError: if the file is no model of ours.
    """
    return _description(path, read_archive(path, LIMITS_BYTES, (DESCRIPTION,))[DESCRIPTION])


def read_model(path: Path) -> tuple[ModelDescription, dict[str, Tensor]]:
    """Read a model and its weights, which come as float32.

    Raises:
        UdeansrError: if the file is no model of ours.
    """
    import safetensors.torch
    import torch
    from safetensors import SafetensorError

    members = read_archive(path, LIMITS_BYTES)
    description = _description(path, members[DESCRIPTION])
    _card(path, members[CARD])
    try:
        weights = safetensors.torch.load(members[WEIGHTS])
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UdeansrError(f"{path}: its {WEIGHTS} cannot be read ({error}); get the file again") from error
    odd = sorted(name for name, weight in weights.items() if weight.dtype not in (torch.float16, torch.float32))
    if odd:
        raise UdeansrError(f"{path}: the weight {odd[0]} is {weights[odd[0]].dtype}; expected float16 or float32")
    if broken := first_not_finite(weights):
        raise UdeansrError(f"{path}: the weight {broken} is not finite; it would make no image; get the file again")
    return description, {name: weight.float() for name, weight in weights.items()}


def first_not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first weight that holds NaN or an infinity; None where all are finite."""
    return next((name for name, weight in sorted(weights.items()) if not weight.isfinite().all()), None)


def read_card(path: Path) -> str:
    """Read the card of a model.

    Raises:
        UdeansrError: if the file is no model of ours, or the card holds what would command a terminal.
    """
    return _card(path, read_archive(path, LIMITS_BYTES, (CARD,))[CARD])


def _description(path: Path, content: bytes) -> ModelDescription:
    try:
        values = json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise UdeansrError(f"{path}: its {DESCRIPTION} is no JSON; get the file again") from error
    return ModelDescription.from_dict(values, str(path))


def _refuse(constant: str) -> None:
    """NaN and infinity, which JSON does not know and Python's reader does."""
    raise ValueError(constant)


def _card(path: Path, content: bytes) -> str:
    card = content.decode("utf-8", "replace")
    if any(not sign.isprintable() and sign not in "\n\t" for sign in card):
        raise UdeansrError(f"{path}: its {CARD} holds signs that are no text; get the file again")
    return card
