"""What each part of a recipe is worth: the network trained with it, without one part of it, or with one more.

python benchmarks/ablation.py [--recipe best] [--epochs 30] [--seeds 1] [--runs FOLDER] [ROW ...]

Prints a line for each row in Markdown. A run that FOLDER has is read, one that was stopped goes on.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from cnnviz.commands.train import main as train
from cnnviz.training.recipe import RECIPES

ROWS = {
    "best": {
        "best": {},
        "with flip": {"flip": True},
        "without shift": {"shift": 0},
        "without average": {"average": 0.0},
        "without weight decay": {"weight_decay": 0.0},
        "constant learning rate 1e-3": {"schedule": "constant", "learning_rate": 1e-3},
        "with shift 2": {"shift": 2},
        "with erase 0.25": {"erase": 0.25},
        "with label smoothing 0.05": {"label_smoothing": 0.05},
    },
    "fast": {
        "fast": {},
        "with Adam at 6e-3": {"optimizer": "adam", "learning_rate": 6e-3},
        "without label smoothing": {"label_smoothing": 0.0},
        "without average": {"average": 0.0},
        "without weight decay": {"weight_decay": 0.0},
    },
}


def summary(recipe: str, row: str, epochs: int, seeds: int, runs: Path) -> dict:
    """What came out of the row's run, which is made if it is not there."""
    name = "-".join([recipe, str(epochs), *row.split()])
    RECIPES[name] = replace(RECIPES[recipe], epochs=epochs, patience=epochs, **ROWS[recipe][row])
    file = runs / name / "summary.json"
    if not file.exists():
        new = ["--recipe", name, "--seeds", str(seeds), "--dataset", "fashion_mnist"]
        code = train(["--runs", str(runs), "--name", name, *(["--resume"] if file.parent.exists() else new)])
        if code:
            raise SystemExit(code)
    return json.loads(file.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = "; ".join(f"of {recipe}: {', '.join(rows)}" for recipe, rows in ROWS.items())
    parser.add_argument("rows", nargs="*", metavar="ROW", help=known)
    parser.add_argument("--recipe", choices=ROWS, default="best")
    parser.add_argument("--epochs", type=int, help="30 of best, 4 of fast")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    options = parser.parse_args()
    epochs = options.epochs or {"best": 30}.get(options.recipe, RECIPES[options.recipe].epochs)
    rows = options.rows or ROWS[options.recipe]
    found = {row: summary(options.recipe, row, epochs, options.seeds, options.runs) for row in rows}
    print("| | validation | test |\n|---|---|---|")
    for row, said in found.items():
        kept = [one["best"] for one in said.get("networks", [said])]
        validated = sum(record["val_accuracy"] for record in kept) / len(kept)
        print(f"| {row} | {validated:.4f} | {said['test_accuracy']:.4f} ± {said.get('test_accuracy_sd', 0):.4f} |")


if __name__ == "__main__":
    main()
