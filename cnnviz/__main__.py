"""`python -m cnnviz`: the same as the command `cnnviz`."""

from importlib import import_module

if __name__ == "__main__":
    raise SystemExit(import_module("cnnviz.commands.main").main())
