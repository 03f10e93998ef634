"""`python -m cnnviz`: the same as the command `cnnviz`."""

from cnnviz.commands.main import main

if __name__ == "__main__":
    raise SystemExit(main())
