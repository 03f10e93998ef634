"""Look inside a network: `python visualize.py` for the latest run, `python visualize.py RUN` for another."""

from cnnviz.commands.visualize import main

if __name__ == "__main__":
    raise SystemExit(main())
