"""Makes a plain Hugging Face folder out of a checkpoint: what `from_pretrained` loads, to share.

All weights: the checkpoint's files are copied, no model is loaded. An adapter: the base is loaded
once, in float32, and the adapter merged into it weight by weight. Neither writes to the
checkpoints, so a node may be running on them; what it drops meanwhile is looked for anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from core.errors import StorageError, WaggleError
from core.home import storage_errors
from core.protocols import Progress
from core.training.checkpoint import MANIFEST, read_manifest, replace_folder, verify
from core.training.state import FACTS, SHARD_BYTES, TRAINER, read_facts
from core.training.store import VISITS, round_of, whole

BLOCK_BYTES = 1 << 20
CARD = "README.md"
TAGS = ("rl-swarm", "grpo", "waggle")
"""By these the models of a swarm are found on the Hugging Face Hub."""


@dataclass(frozen=True)
class Exported:
    """path: the new folder. model: the base. recipe: full or lora. checkpoint: its folder's name.

    round: in which it was saved. steps: optimiser steps since the base.
    """

    path: str
    model: str
    recipe: str
    checkpoint: str
    round: int
    steps: int
    size_bytes: int


_T = TypeVar("_T")


class _Unreadable(StorageError):
    """The checkpoint, not the target, is what failed."""


def export(
    checkpoints: Path,
    target: Path,
    *,
    wanted: str = "",
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write `target`, whole or not at all, from a checkpoint of the folder `checkpoints`.

    wanted: a round, the path of a checkpoint, or empty for the newest whole one. force: replace a
    model folder that is there. progress: bytes of the base model's download. WaggleError when
    there is no such checkpoint, when it is damaged, or when the target cannot be written.
    """
    target = target.expanduser().absolute()
    _require_free(target, force)
    for attempt in range(VISITS):
        found = _choose(checkpoints, wanted)
        for path in found:
            try:
                return _export(path, target, progress)
            except _Unreadable:
                if path.is_dir() and (wanted or path == found[-1] or attempt == VISITS - 1):
                    raise
    raise _none(checkpoints, wanted)


def _choose(checkpoints: Path, wanted: str) -> list[Path]:
    """Candidates, best first; at least one."""
    if wanted and not wanted.isdecimal():
        path = Path(wanted).expanduser()
        if not (path / MANIFEST).is_file():
            raise WaggleError(
                f"There is no checkpoint {path}",
                f"a checkpoint is a folder with a {MANIFEST}",
                f"Name a round, or one of the folders in {checkpoints}",
            )
        return [path]
    found = whole(checkpoints)[::-1]
    if wanted:
        found = [path for path in found if round_of(path) == int(wanted)]
    if not found:
        raise _none(checkpoints, wanted)
    return found


def _none(checkpoints: Path, wanted: str) -> WaggleError:
    rounds = ", ".join(str(round_of(path)) for path in whole(checkpoints))
    return WaggleError(
        f"There is no checkpoint of round {wanted}" if wanted else "There is no checkpoint yet",
        f"{checkpoints} holds those of round {rounds}" if rounds else f"{checkpoints} holds none",
        "Let the node train until it has saved one (checkpoint.every_rounds)"
        if not rounds
        else "Name one of these, or none for the newest",
    )


def _require_free(target: Path, force: bool) -> None:
    """WaggleError unless nothing is lost by putting a model folder there."""
    with storage_errors(target):
        if not target.exists():
            return
        inside = sorted(target.iterdir())
    if not inside:
        return
    if not force:
        raise WaggleError(
            f"The folder {target} is not empty",
            "",
            "Name another one, or add --force to replace the model in it",
        )
    folders = [path.name for path in inside if path.is_dir()]
    if folders or not (target / "config.json").is_file():
        raise WaggleError(
            f"The folder {target} is not replaced",
            f"it holds folders, such as {folders[0]}, which would be lost"
            if folders
            else "it is no model folder: there is no config.json in it",
            "Name another folder",
        )


def _export(path: Path, target: Path, progress: Progress | None) -> Exported:
    manifest = _read(lambda: read_manifest(path))
    facts = _read(lambda: read_facts(path))
    model, recipe = manifest.about.get("model", ""), manifest.about.get("recipe", "")
    about = Exported(
        path=str(target),
        model=model,
        recipe=recipe,
        checkpoint=path.name,
        round=int(facts.get("extra", {}).get("round", 0)),
        steps=int(facts["step"]),
        size_bytes=0,
    )

    def fill(folder: Path) -> None:
        if recipe == "lora":
            _merge(path, folder, model, progress)
        else:
            for name, (_, digest) in kept.items():
                _copy(path / name, folder / name, digest)
        (folder / CARD).write_text(model_card(about))

    kept = {
        name: entry
        for name, entry in manifest.files.items()
        if name != FACTS and not name.startswith(f"{TRAINER}-")
    }
    needed = 0 if recipe == "lora" else sum(size for size, _ in kept.values())
    size = replace_folder(target, fill, needed_bytes=needed)
    return replace(about, size_bytes=size)


def _merge(path: Path, folder: Path, model_id: str, progress: Progress | None) -> None:
    """In float32: in 16 bits, most of what an adapter learns would be rounded away."""
    import warnings

    import torch
    from peft import PeftModel

    from core.training.models import locate
    from core.training.tokenizing import load_tokenizer
    from core.training.weights import load_weights, quiet_transformers

    _read(lambda: verify(path))
    quiet_transformers()
    base = locate(model_id, progress)
    model = load_weights(model_id, base, torch.float32)
    with warnings.catch_warnings():  # peft uses what transformers is about to rename
        warnings.simplefilter("ignore", FutureWarning)
        merged = PeftModel.from_pretrained(model, str(path)).merge_and_unload()
    merged.save_pretrained(folder, max_shard_size=SHARD_BYTES)
    load_tokenizer(model_id, base).save_pretrained(folder)


def _copy(source: Path, target: Path, wanted: str) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        try:
            reading = source.open("rb")
        except OSError as error:
            raise _unreadable(source, error.strerror or str(error)) from error
        with reading:
            while block := reading.read(BLOCK_BYTES):
                digest.update(block)
                out.write(block)
    if digest.hexdigest() != wanted:
        raise _unreadable(source, "it is not what was written")


def _read(read: Callable[[], _T]) -> _T:
    """What `read` gives; its StorageError is the checkpoint's fault."""
    try:
        return read()
    except StorageError as error:
        raise _Unreadable(error.what, error.why, _OTHER) from error


_OTHER = "Export another checkpoint: --checkpoint takes a round or a folder"


def _unreadable(file: Path, why: str) -> _Unreadable:
    return _Unreadable(f"The checkpoint {file.parent} is damaged", f"{file.name}: {why}", _OTHER)


def model_card(about: Exported) -> str:
    """README.md with the metadata that the Hugging Face Hub reads."""
    from core.training.models import is_hub_id

    name = about.model if is_hub_id(about.model) else Path(about.model).name
    head = ["---", "library_name: transformers", "pipeline_tag: text-generation"]
    if is_hub_id(about.model):
        head.append(f"base_model: {about.model}")
    head += ["tags:", *(f"- {tag}" for tag in TAGS), "---"]
    how = {
        "lora": "A LoRA adapter was trained and is merged into these weights.",
        "full": "All weights were trained.",
    }
    return "\n".join(
        [
            *head,
            f"# {name}, trained in a swarm",
            "",
            f"[{name}](https://huggingface.co/{about.model})" if is_hub_id(about.model) else name,
            f"after {about.steps} optimiser steps of GRPO on a Waggle node, as it was saved in",
            f"round {about.round}. {how.get(about.recipe, '')}".rstrip(),
            "",
        ]
    )
