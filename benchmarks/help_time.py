"""The time that `train.py --help` takes, against that of importing jax and flax: seconds and a ratio.

python benchmarks/help_time.py
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
COMMANDS = {"train.py --help": ["train.py", "--help"], "import jax, flax": ["-c", "import jax, flax.linen"]}


def seconds(arguments: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - begun


def main() -> None:
    rounds = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(8)][1:]
    help_name, import_name = COMMANDS
    for name in COMMANDS:
        print(f"{name:17s} {median(times[name] for times in rounds):.2f} s")
    print(f"ratio             {median(times[help_name] / times[import_name] for times in rounds):.2f}")


if __name__ == "__main__":
    main()
