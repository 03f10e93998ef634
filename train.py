"""Train a network: `python train.py --dataset fashion_mnist,garments` (about 50 seconds on two cores)."""

from cnnviz.commands.train import main

if __name__ == "__main__":
    raise SystemExit(main())
