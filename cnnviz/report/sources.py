"""The page's JavaScript and style as texts that stand in the page, and the hashes by which its policy allows them."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parent / "page"
IMPORT = re.compile(r'^import .*?from "(.+?)";\n', re.MULTILINE)


def script(entry: str) -> str:
    """The source `entry` with all that it imports, in one text: what is imported stands before what imports it.

    It is strict, and none of its names is one of the page's. All sources have different names, so that nothing has to
    be renamed (`tests/test_report_sources.py`).
    """
    inside = "\n".join(_plain(path) for path in _ordered(PAGE / entry, {}))
    return f'(() => {{\n"use strict";\n{inside}\n}})();'


def style() -> str:
    """The page's style sheet."""
    return (PAGE / "style.css").read_text(encoding="utf-8")


def digest(text: str) -> str:
    """The source expression of a Content-Security-Policy that allows this text inline."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _ordered(path: Path, found: dict[Path, None]) -> list[Path]:
    """The source after those that it imports, each once."""
    for name in IMPORT.findall(_text(path)):
        other = (path.parent / name).resolve()
        if other not in found:
            _ordered(other, found)
    found.setdefault(path.resolve())
    return list(found)


def _plain(path: Path) -> str:
    """The source without imports and exports."""
    return re.sub(r"^export ", "", IMPORT.sub("", _text(path)), flags=re.MULTILINE)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
