"""`python -m cnnviz`: the same as the command `cnnviz`, found by its name as pyproject.toml does."""

from pkgutil import resolve_name

if __name__ == "__main__":
    raise SystemExit(resolve_name("cnnviz.commands.main:main")())
