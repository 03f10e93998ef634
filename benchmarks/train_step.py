"""Training the chapter's network with cnnviz and with what one would use instead: images per second, and ratios.

python benchmarks/train_step.py [--python PATH]

PATH is the interpreter of an environment with torch, keras, tensorflow and jax; what it lacks is said and skipped. Each
contender has a process of its own, and they take turns; a ratio is that of the medians, ours over theirs.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median

from contenders import CONTENDERS

OURS = ("cnnviz", "Flax by hand")  # with this interpreter, all others with that of --python


class Contender:
    """A process that trains when it is told to; one that `lacks` something has no version."""

    def __init__(self, name: str, batch: int, python: str):
        command = [python, str(Path(__file__).with_name("contenders.py")), name, str(batch)]
        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.name, self.rates = name, []
        self.version = self.answer()
        self.lacks = "" if self.version else self.said()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def said(self) -> str:
        """The last line on stderr of a process that has ended."""
        return (self.process.communicate()[1].strip().splitlines() or ["it ended"])[-1]

    def train(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        self.rates.append(float(self.answer()))


def compare(batch: int, python: str, rounds: int) -> None:
    contenders = [Contender(name, batch, sys.executable if name in OURS else python) for name in CONTENDERS]
    racing = [contender for contender in contenders if contender.version]
    for _ in range(rounds):
        for contender in racing:
            contender.train()
    ours = median(racing[0].rates)
    print(f"batch {batch}")
    for contender in contenders:
        if contender.version:
            rate = median(contender.rates)
            print(f"  {contender.name:20s} {rate:7.0f} images/s   {ours / rate:5.2f}   {contender.version}")
            contender.process.communicate()
        else:
            print(f"  {contender.name:20s} skipped: {contender.lacks}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the others")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    for batch in options.batches:
        compare(batch, options.python, options.rounds)


if __name__ == "__main__":
    main()
