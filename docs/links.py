"""A hook of MkDocs: the pages of docs/ are written for GitHub; here they become those of the site.

Links to files outside of docs/ lead to GitHub, and a line `::: METHODS`, `::: METRICS` or `::: PICTURES` becomes the
reference of all entries of that registry.
"""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent.parent))

from cnnviz.attribution.methods import METHODS
from cnnviz.metrics.metrics import METRICS
from cnnviz.pictures import PICTURES

DEFAULT = re.compile(r"\w+\(default=(.*)\)")  # of a field that is made by a function
OUTSIDE = re.compile(r"(?<=\]\()\.\./(?P<path>[^)#]+)(?P<anchor>#[^)]*)?(?=\))")
REGISTRIES = {"METHODS": METHODS, "METRICS": METRICS, "PICTURES": PICTURES}


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """The text of a page for the site."""
    for name, registry in REGISTRIES.items():
        markdown = markdown.replace(f"::: {name}\n", "\n".join(map(entry, registry.items())))
    return outward(markdown, Path(config.docs_dir), page.file.src_uri, config.repo_url)


def entry(item: tuple[str, str]) -> str:
    """The heading, the fields and the reference of one entry of a registry."""
    name, path = item[0], item[1].replace(":", ".")
    options = "    options: {show_root_heading: false, show_root_toc_entry: false, members: false}\n"
    return f"## `{name}`\n\n::: {path}\n{options}\n" + "".join(map(field, fields(path)))


def field(attribute: griffe.Attribute) -> str:
    """A field of a class as an item of a list: its name, type and default, and what it means where that is said."""
    value = DEFAULT.sub(r"\1", str(attribute.value))
    meaning = f": {attribute.docstring.value}" if attribute.docstring else ""
    return f"- `{attribute.name}: {attribute.annotation} = {value}`{meaning}\n".replace("\n", " ").strip() + "\n"


def fields(path: str) -> list[Any]:
    """The options of a dataclass, with those of its bases: the annotated assignments that are not `filled_in`."""
    members = package()[path.removeprefix("cnnviz.")].all_members.values()
    known = [each for each in members if each.annotation and "instance-attribute" in each.labels]
    return [each for each in known if not str(each.value).startswith("filled_in(")]


@cache
def package() -> Any:
    """The package as griffe reads it, without importing it."""
    return griffe.load("cnnviz", search_paths=[str(Path(__file__).parent.parent)])


def outward(markdown: str, docs: Path, page: str, repository: str) -> str:
    """The text with links to the repository's other files as addresses; a link to no file is left, and so is found."""

    def address(found: re.Match[str]) -> str:
        target = (docs / page).parent.joinpath("..", found["path"]).resolve()
        if target.is_relative_to(docs) or not target.exists():
            return found[0]
        return f"{repository}/blob/main/{target.relative_to(docs.parent)}{found['anchor'] or ''}"

    return OUTSIDE.sub(address, markdown)
