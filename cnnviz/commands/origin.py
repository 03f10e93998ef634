"""Where pictures come from: what their files' metadata and their names say of it."""

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnviz.commands.recorded import address


@dataclass(frozen=True)
class Origin:
    """The network and the data of a command's pictures, and the command as it was typed."""

    net: Any
    where: str | None
    member: int | None
    data: Any
    command: Sequence[str]

    def about(self) -> dict[str, Any]:
        """The run, step and seed of the pictures, their data with its fingerprint, the revision, and the command."""
        found = {
            "run": str(self.net.path or self.net.name),
            "step": self._steps(),
            "seed": list(self.net.seeds),
            "trained on": _identified(self.net.data),
            "shown": self._shown(),
            "revision": _revision(self.net.path),
            "command": shlex.join(self.command),
        }
        return {name: value for name, value in found.items() if value not in (None, [], {})}

    def variant(self, picture: Any) -> str:
        """What the picture's file name says of the member, the step, and other data than the network's own."""
        place, parts = self._place, []
        if (seed := place.seed if self.member is None else self.member) is not None:
            parts.append(f"seed{seed}")
        if place.step is not None:
            parts.append(f"step{place.step}")
        image = picture.subject.get("image", picture.subject)
        own = image.get("file") and self.data.is_asked and self.data.used  # which says what is behind transparency
        shown = own.name if own else image.get("dataset")
        if shown is not None and address(shown) != address(str(self.net.data.get("name", ""))):
            parts.append(Path(shown).stem)
        if getattr(self.net.beginnings, "is_drawn", False) and self.net.beginnings.seed:
            parts.append(f"untrained-seed{self.net.beginnings.seed}")
        return "".join(f"_{part}" for part in parts)

    def of(self, picture: Any, folder: Path) -> str:
        """A digest of where the network and the picture's own files are; the same for a run in any place of its own."""
        image = picture.subject.get("image", {}).get("file", ())
        names = {image} if isinstance(image, str) else {*image}
        files = sorted(str(path.resolve()) for path, *_ in self.data.photographs if path.name in names)
        is_own = self.net.path is not None and folder.resolve() == self.net.folder.resolve()
        place = "" if is_own else str(Path(self.net.path or self._place.path).resolve())
        return hashlib.sha256("\0".join([place, *files]).encode(errors="surrogateescape")).hexdigest()[:16]

    @property
    def _place(self) -> Any:
        from cnnviz.networks import Where

        return Where.read(self.where or "")

    def _steps(self) -> list[int]:
        """The step of each member: the one that was asked for, else that of its best epoch."""
        from cnnviz.training.members import best, by_seed

        if self._place.step is not None:
            return [self._place.step]
        return [int(best(own)["step"]) for own in by_seed([dict(record) for record in self.net.history])]

    def _shown(self) -> dict[str, str]:
        dataset = vars(self.data).get("dataset")  # if it was loaded
        return {} if dataset is None else {"name": dataset.name, "fingerprint": dataset.fingerprint}


def _identified(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: data[key] for key in ("name", "fingerprint") if data.get(key)}


def _revision(run: Path | None) -> str | None:
    """The revision of the code that trained the run."""
    with suppress(OSError, ValueError, AttributeError):
        return json.loads((run / "environment.json").read_bytes()).get("revision") if run else None
    return None
