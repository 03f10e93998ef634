"""What each part of a recipe is worth: the network trained with it, without one part of it, or with one more.

python benchmarks/ablation.py [--epochs 30] [--seeds 1] [--runs FOLDER] [ROW ...]

Prints a line for each row in Markdown. A run that FOLDER has is read, one that was stopped goes on.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from cnnviz.commands.train import main as train
from cnnviz.training.recipe import RECIPES

ROWS = {
    "best": {},
    "with flip": {"flip": True},
    "without shift": {"shift": 0},
    "without average": {"average": 0.0},
    "without weight decay": {"weight_decay": 0.0},
    "constant learning rate 1e-3": {"schedule": "constant", "learning_rate": 1e-3},
    "with shift 2": {"shift": 2},
    "with erase 0.25": {"erase": 0.25},
    "with label smoothing 0.05": {"label_smoothing": 0.05},
}


def summary(row: str, epochs: int, seeds: int, runs: Path) -> dict:
    """What came out of the row's run, which is made if it is not there."""
    name = row.replace(" ", "-")
    RECIPES[name] = replace(RECIPES["best"], epochs=epochs, patience=epochs, **ROWS[row])
    file = runs / name / "summary.json"
    if not file.exists():
        new = ["--recipe", name, "--seeds", str(seeds), "--dataset", "fashion_mnist"]
        code = train(["--runs", str(runs), "--name", name, *(["--resume"] if file.parent.exists() else new)])
        if code:
            raise SystemExit(code)
    return json.loads(file.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=[*ROWS], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    options = parser.parse_args()
    found = {row: summary(row, options.epochs, options.seeds, options.runs) for row in options.rows}
    print("| | validation | test |\n|---|---|---|")
    for row, said in found.items():
        kept = [one["best"] for one in said.get("networks", [said])]
        validated = sum(record["val_accuracy"] for record in kept) / len(kept)
        print(f"| {row} | {validated:.4f} | {said['test_accuracy']:.4f} ± {said.get('test_accuracy_sd', 0):.4f} |")


if __name__ == "__main__":
    main()
