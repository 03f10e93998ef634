"""The page's JavaScript: typed, readable, without what its policy forbids."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "cnnviz" / "report" / "page"
SOURCES = sorted(PAGE.rglob("*.js"))
FORBIDDEN = re.compile(
    r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?://|fetch\("
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PAGE)))
def test_a_source_is_short_and_makes_no_code_or_markup_of_texts(path):
    text = path.read_text()
    assert text.startswith("// ")
    assert text.count("\n") <= 200
    assert [line for line in text.splitlines() if FORBIDDEN.search(line) and "w3.org" not in line] == []


def test_all_names_are_different_so_that_one_script_can_hold_all_sources():
    defined = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (?:\[([^\]]+)\]|(\w+))", re.MULTILINE)
    found = [match for path in SOURCES for match in defined.findall(path.read_text())]
    names = [name for several, one in found for name in (several.split(", ") if several else [one])]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@pytest.mark.skipif(shutil.which("tsc") is None, reason="tsc is not installed: npm install typescript")
def test_types_are_those_that_are_declared():
    subprocess.run(["tsc", "--project", str(PAGE)], check=True, timeout=120)
