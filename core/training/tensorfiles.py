"""Tensors on disk: safetensors files written without a copy and read one tensor at a time."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

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

    The files stay open, so they can still be read when somebody deletes them meanwhile.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        """OSError or SafetensorError when a file is missing or damaged."""
        self._open = [safe_open(file, framework="pt") for file in files]
        self._at = {name: source for source in self._open for name in source.keys()}  # noqa: SIM118

    def __getitem__(self, name: str) -> Tensor:
        return self._at[name].get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """From the headers alone."""
        return {n: tuple(s.get_slice(n).get_shape()) for n, s in self._at.items()}


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
