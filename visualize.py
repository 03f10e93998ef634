"""Look inside a network: `python visualize.py` for the latest run, `python visualize.py RUN` for another."""

import sys

from cnnviz.commands.main import run

if __name__ == "__main__":
    raise SystemExit(run("visualize", sys.argv[1:], "visualize.py"))
