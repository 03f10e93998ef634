"""The newest intact checkpoint of a run, for when a power cut or a bad disk has damaged later ones."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cnnviz.atomic import atomic_write
from cnnviz.errors import InputError
from cnnviz.runs import checkpoints
from cnnviz.runs.checkpoints import folder_of
from cnnviz.runs.config import Config
from cnnviz.runs.json_files import UnknownFormat
from cnnviz.training.members import Record, best, by_seed

ATTEMPTS = 50  # to read a run while a training replaces its checkpoints
Read = TypeVar("Read")


@dataclass(frozen=True)
class Newest:
    """The step and the records of the newest intact checkpoint; `damages` has one sentence per damaged later file."""

    step: int
    history: list[Record]
    damages: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """Which files are damaged and which checkpoint is used instead; empty if the latest is intact."""
        used = f"The checkpoint of step {self.step}, the newest intact one, is used."
        return " ".join([*self.damages, used]) if self.damages else ""


def newest(path: Path, config: Config, *, is_resumed: bool) -> Newest:
    """The newest checkpoint of which all needed files are intact: the weights of its best epochs so far.

    If training is resumed from it, its own weights and states are needed too. Raises InputError if there is no such
    checkpoint, or if a manifest has an unknown format or other members than the config.
    """
    damages: dict[str, None] = {}
    for step in reversed(checkpoints.steps(path)):
        try:
            manifest = checkpoints.manifest(folder_of(path, step))
        except UnknownFormat:
            raise
        except InputError as error:
            damages[str(error)] = None
            continue
        check_members(folder_of(path, step), manifest, config)
        found = _damages(path, step, manifest["history"], config, is_resumed)
        if not found:
            return Newest(step, manifest["history"], tuple(damages))
        damages |= dict.fromkeys(found)
    raise InputError(" ".join([*damages, f"The run {path} has no intact checkpoint; start it again."]))


def check_members(folder: Path, manifest: Mapping[str, Any], config: Config) -> None:
    """Raises InputError if the members of a checkpoint are not those of the config."""
    count = len(config.seeds)
    found = [own[0].get("seed") for own in by_seed(manifest["history"])]
    expected = list(config.seeds) if count > 1 else [None]
    if len(manifest["files"]) != 2 * count or found not in ([], expected):
        raise InputError(f"{folder} has files or records of other networks than the {count} that config.json asks for.")


def restore_first(path: Path, config: Config) -> list[str]:
    """Draws damaged or lost files of the checkpoint of step 0 again from the config; returns the names of the files.

    Raises InputError, and writes nothing, if the manifest is damaged or the new files do not have its SHA-256.
    """
    folder = folder_of(path, 0)
    wanted = checkpoints.manifest(folder)["files"]
    damaged = [name for name in wanted if checkpoints.damages(folder, [name])]
    drawn = checkpoints.files_of(config.trees(config.fresh())) if damaged else {}
    for name in damaged:
        if hashlib.sha256(drawn.get(name, b"")).hexdigest() != wanted[name]:
            (damage,) = checkpoints.damages(folder, [name])
            why = "Weights drawn again from config.json differ from it, so restore it."
            if begun := config.get("init_from"):
                why = f"Its weights came from {begun['source']} and cannot be drawn again, so restore it."
            raise InputError(f"{damage} {why}")
    for name in damaged:
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(drawn[name])
    return damaged


def settled(path: Path, read: Callable[[], Read], damages_of: Callable[[Read], Any], attempts: int = ATTEMPTS) -> Read:
    """The result of `read()`, called again if it met damage while checkpoints were replaced or removed.

    A training removes those that the run does not keep, so what a reader has listed may be gone a moment later.
    """
    before = checkpoints.identities(path)
    is_settled = lambda: attempts == 1 or checkpoints.identities(path) == before
    try:
        found = read()
        if not damages_of(found) or is_settled():
            return found
    except InputError:
        if is_settled():
            raise
    return settled(path, read, damages_of, attempts - 1)


def _damages(path: Path, step: int, history: list[Record], config: Config, is_resumed: bool) -> list[str]:
    """One sentence per damaged file that is needed to draw the run as of a step, or to resume training there."""
    bests = [int(best(own)["step"]) for own in by_seed(history)] or [step] * len(config.seeds)
    needed = [(at, f"model{name}.safetensors") for at, name in zip(bests, config.suffixes, strict=True)]
    if is_resumed:
        needed += [(step, f"{kind}{name}.safetensors") for kind in ("model", "training") for name in config.suffixes]
    return [fault for at, name in dict.fromkeys(needed) for fault in checkpoints.damages(folder_of(path, at), [name])]
