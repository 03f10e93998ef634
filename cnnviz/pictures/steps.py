"""A run at the steps that it keeps, each as a network."""

from dataclasses import dataclass

from cnnviz.errors import InputError
from cnnviz.networks import Net
from cnnviz.pictures.choices import steps_in
from cnnviz.pictures.picture import Skipped
from cnnviz.runs import checkpoints, load_run

HOW = "train with --snapshots 8 for more"


@dataclass(frozen=True)
class Steps:
    """A network at ascending steps, and a sentence on them for a caption."""

    steps: tuple[int, ...]
    nets: tuple[Net, ...]
    said: str

    @property
    def names(self) -> list[str]:
        """Each step as text."""
        return [f"{step:,}" for step in self.steps]

    def chosen(self, count: int) -> list[int]:
        """The places of at most `count` steps, evenly spaced, with the first and the last."""
        return evenly(len(self.steps), count)


def evenly(every: int, count: int) -> list[int]:
    """The places of at most `count` of so many things, evenly spaced, with the first and the last."""
    last = every - 1
    if count >= every:
        return list(range(every))
    return sorted({round(i * last / max(count - 1, 1)) for i in range(count)} | ({last} if count == 1 else set()))


def steps_of(net: Net, asked: str | None = None) -> Steps:
    """The run of a network at the steps that are asked for ("0,400"), by default at all that it keeps.

    Of several members it is the first one. Raises Skipped for a network that is not of a run, and InputError for a step
    that is not kept and if there are fewer than two.
    """
    if net.path is None:
        raise Skipped(f"{net.name} is not a run of cnnviz, so the steps of its training are not known.")
    kept = checkpoints.steps(net.path)
    listed = ", ".join(f"{step:,}" for step in kept)
    wanted = kept if asked is None else steps_in(asked, kept)
    if len(wanted) < 2:
        raise InputError(f"A film takes at least two steps; {net.name} keeps {listed} ({HOW}).")
    seed = net.seeds[0] if net.seeds else None
    nets = tuple(load_run(net.path, step=step, seed=seed) for step in wanted)
    said = f" Steps: {', '.join(f'{step:,}' for step in wanted)}."
    if len(kept) < 4:
        said += f" The run keeps no others; {HOW}."
    return Steps(tuple(wanted), nets, said)
