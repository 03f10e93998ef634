"""Train a network: `python train.py --dataset fashion_mnist,garments` (about 50 seconds on two cores)."""

import sys

from cnnviz.commands.main import run

if __name__ == "__main__":
    raise SystemExit(run("train", sys.argv[1:], "train.py"))
