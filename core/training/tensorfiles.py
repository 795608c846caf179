"""Tensors on disk: safetensors files written without a copy and read one tensor at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import StorageError

SHARD_BYTES = 2 << 30
"""Largest file, and the most that is copied from a GPU to the host at a time."""


def write_tensors(folder: Path, stem: str, tensors: Mapping[str, Tensor]) -> None:
    """Write `stem-00001.safetensors` and so on, by name. OSError when the disk refuses.

    Tensors on the CPU are written from where they lie, if they are contiguous.
    """
    for number, shard in enumerate(_shards(tensors), 1):
        on_host = {name: tensor.detach().cpu().contiguous() for name, tensor in shard.items()}
        try:
            save_file(on_host, folder / f"{stem}-{number:05d}.safetensors")
        except SafetensorError as error:
            raise as_os_error(error) from error


class TensorFiles(Mapping[str, Tensor]):
    """The tensors of some safetensors files on the CPU, each read when it is asked for.

    A file is open only while one of its tensors is read: an open one stays mapped, and everything
    read so far would count as this process's memory. StorageError when a file is missing or
    damaged, at the beginning or later.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._at: dict[str, Path] = {}
        for file in files:
            with _reading(file) as source:
                for name in source.keys():  # noqa: SIM118 - no mapping
                    self._at[name] = file
                    self._shapes[name] = tuple(source.get_slice(name).get_shape())

    def __getitem__(self, name: str) -> Tensor:
        with _reading(self._at[name]) as source:
            tensor: Tensor = source.get_tensor(name)
            return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """From the headers alone."""
        return self._shapes


@contextmanager
def _reading(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as source:
            yield source
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"The checkpoint file {file} cannot be read",
            str(error),
            "Move its folder away; an older checkpoint is used then",
        ) from error


def _shards(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if shard and size + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    if shard:
        yield shard


def as_os_error(error: SafetensorError) -> OSError:
    """safetensors tells a full disk only in its text."""
    full = "os error 28" in str(error) or "No space left" in str(error)
    return OSError(errno.ENOSPC if full else errno.EIO, str(error))
