"""Everything that is worth measuring on a GPU or a TPU, in one run of at most some minutes.

    python benchmarks/accelerator.py --out DIR [--minutes 8] [--peers]

DIR has `results.json`, `table.md` and `log.txt`, which are written anew after each measurement, so that what was
measured stays if the run is stopped. Nothing is installed: what is missing is named and left out. Sections come in
order of worth, each with a share of the time; what was not reached is measured in the end if time is left. Without an
accelerator the run is refused, but with --allow-cpu, where small sizes show that all of it runs.
"""

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # before JAX starts: PyTorch needs memory, too

import jax
import numpy as np

from benchmarks.accelerated import SECTIONS, agreement
from benchmarks.accelerated.case import SMALL, Case, Row, Sizes
from cnnviz.atomic import atomic_write
from cnnviz.commands.console import multiply_in_float32, use_compilation_cache

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "captum", "grad-cam", "zennit")
TOO_LITTLE = ("resource exhausted", "out of memory", "alloc failed")  # JAX, CUDA and PyTorch, cuDNN


@dataclass
class Results:
    """What was measured so far, by section and name; each new number is written at once."""

    out: Path
    minutes: float
    status: str = "running"
    sections: dict[str, dict[str, Row]] = field(default_factory=dict)
    machine: Row = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return 60 * self.minutes - (time.monotonic() - self.begun)

    def add(self, section: str, name: str, row: Row) -> None:
        row = {key: value if is_json(value) else str(value) for key, value in row.items()}
        self.sections.setdefault(section, {})[name] = row
        self.log(f"{section}: {name}: {', '.join(f'{key} {shown(value)}' for key, value in row.items())}")
        self.write()

    def log(self, line: str) -> None:
        line = f"{time.monotonic() - self.begun:6.1f} s  {line}"
        print(line, flush=True)
        with (self.out / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def write(self) -> None:
        whole = {"status": self.status, "minutes": self.minutes, "machine": self.machine, "sections": self.sections}
        found = json.dumps(whole, indent=1, default=float, allow_nan=False)
        for name, text in (("results.json", found), ("table.md", self.table())):
            with atomic_write(self.out / name) as path:
                path.write_text(text + "\n", encoding="utf-8")

    def end(self, status: str, references: subprocess.Popen | None) -> None:
        """Writes all of it once more, and ends the process that computes references."""
        self.status = status
        self.write()
        if references is not None:
            references.kill()

    def table(self) -> str:
        """The machine, and a table of each section."""
        parts = [f"{', '.join(f'{key} {value}' for key, value in self.machine.items())}\n"]
        parts.append(f"This run of at most {self.minutes:g} minutes is {self.status}.\n")
        for section, rows in self.sections.items():
            columns = list(dict.fromkeys(key for row in rows.values() for key in row))
            lines = [["", *columns], ["---"] * (len(columns) + 1)]
            lines += [[name, *(shown(row.get(key, "")) for key in columns)] for name, row in rows.items()]
            parts.append(f"## {section}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines))
        return "\n".join(parts)


def shown(value: Any) -> str:
    """A number with four digits; other values as they are, on one line and within a cell."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "/")


def is_json(value: Any) -> bool:
    """Whether JSON has this value: it has neither NaN nor infinity."""
    return not isinstance(value, float | np.floating) or bool(np.isfinite(value))


def measure(results: Results, sizes: Sizes, names: list[str]) -> None:
    """Takes the sections' cases, each while its share of what is left lasts, and then those that were not reached."""
    waiting: list[tuple[str, Iterator[Case]]] = []
    shares = [SECTIONS[name][1] for name in names]
    for place, section in enumerate(names):
        cases = resolve_name(SECTIONS[section][0])(sizes)
        if not take(results, section, cases, results.left * (1 - shares[place] / sum(shares[place:]))):
            waiting.append((section, cases))
    for section, cases in waiting:
        if not take(results, section, cases, 0):
            for case in cases:
                results.add(section, case.name, {"skipped": "no time was left"})


def take(results: Results, section: str, cases: Iterator[Case], until: float) -> bool:
    """Measures cases while more than `until` seconds are left; whether these were all of them."""
    while results.left > max(until, 0):
        case = next(cases, None)
        if case is None:
            return True
        results.add(section, case.name, measured(case))
        jax.clear_caches()  # compiled programs and what they hold on the device
    return False


def measured(case: Case) -> Row:
    """The case's numbers, or why there are none."""
    try:
        return case.run()
    except ImportError as error:
        return {"skipped": f"{error.name or error} is not installed"}
    except (jax.errors.JaxRuntimeError, RuntimeError, MemoryError, OSError) as error:  # PyTorch's and cuDNN's are these
        said = str(error).strip().splitlines() or [type(error).__name__]
        few = isinstance(error, MemoryError) or any(words in spaced(error) for words in TOO_LITTLE)
        return {"skipped": "too little memory on the device"} if few else {"failed": said[0][:200]}
    except Exception as error:  # one fault must not cost the rest of a lent machine's time
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}


def spaced(error: Exception) -> str:
    """What the error says in small letters, with spaces for underlines."""
    return str(error).lower().replace("_", " ")


def machine() -> Row:
    """The devices and the versions of what is there."""
    devices = jax.local_devices()
    stats: Mapping[str, int] = devices[0].memory_stats() or {}
    memory = {"memory": f"{stats['bytes_limit'] / 2**30:.0f} GiB"} if "bytes_limit" in stats else {}
    found: Row = {"device": f"{len(devices)} x {devices[0].device_kind}", "backend": jax.default_backend(), **memory}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found | {"python": platform.python_version()} | _driver()


def _driver() -> Row:
    """What nvidia-smi says of the first card; nothing where there is none."""
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"card": said[0]} if said else {}


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the results")
    parser.add_argument("--minutes", type=float, default=8, help="the time that it may take")
    parser.add_argument("--peers", action="store_true", help="PyTorch, Captum and pytorch-grad-cam on the same device")
    parser.add_argument("--allow-cpu", action="store_true", help="small sizes on a CPU")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="these sections alone")
    return parser.parse_args()


def refusal(options: argparse.Namespace) -> str:
    """Why nothing can be measured, in one sentence; empty if it can. Makes the folder for the results."""
    if not 0 < options.minutes < math.inf:
        return f"--minutes is a positive number; it was {options.minutes:g}."
    try:
        devices = jax.local_devices()
    except RuntimeError as error:  # JAX_PLATFORMS names what is not there
        return f"JAX {jax.__version__} cannot start: {' '.join(str(error).split())}"
    if jax.default_backend() == "cpu" and not options.allow_cpu:
        found = f"JAX {jax.__version__} has {len(devices)} x {devices[0].device_kind} alone"
        return f"No accelerator was found: {found}; install jax[cuda13], or give --allow-cpu."
    if (options.out / "results.json").exists():
        return f"{options.out} has the results of another run; give --out another folder."
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "log.txt").write_text("", encoding="utf-8")
    except OSError as error:
        return f"Results cannot be written to {options.out} ({error.strerror}); give --out another folder."
    return ""


def end_at_signals(results: Results, references: subprocess.Popen | None) -> None:
    for number in STOPS:
        signal.signal(number, partial(stop, results, references))


def stop(results: Results, references: subprocess.Popen | None, number: int, _: Any) -> None:
    """Ends the run at a signal. An exception would be lost where the signal comes within a callback of JAX."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    results.end("stopped", references)
    os._exit(128 + number)


def main() -> int:
    options = asked()
    if why := refusal(options):
        print(why, file=sys.stderr)
        return 2
    use_compilation_cache()
    multiply_in_float32()
    results = Results(options.out, options.minutes, machine=machine())
    end_at_signals(results, None)
    results.write()
    sizes = replace(SMALL if jax.default_backend() == "cpu" else Sizes(), peers=options.peers, out=options.out)
    references = agreement.start(sizes) if "agreement" in options.only else None
    end_at_signals(results, references)
    measure(results, sizes, options.only)
    results.end("done", references)
    return 0


STOPS = (signal.SIGTERM, signal.SIGINT)

if __name__ == "__main__":
    sys.exit(main())
