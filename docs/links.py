"""A hook of MkDocs: pages of docs/ are written for GitHub; here they become those of the site.

Links to files outside of docs/ lead to GitHub, and a line `::: METHODS` or `::: PICTURES` becomes the reference of all
entries of that registry.
"""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from cnnviz.attribution.methods import METHODS
from cnnviz.pictures import PICTURES

OUTSIDE = re.compile(r"(?<=\]\()\.\./(?P<path>[^)#]+)(?P<anchor>#[^)]*)?(?=\))")
REGISTRIES = {"METHODS": METHODS, "PICTURES": PICTURES}


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """The text of a page for the site."""
    for name, registry in REGISTRIES.items():
        markdown = markdown.replace(f"::: {name}\n", "\n".join(map(entry, registry.items())))
    return outward(markdown, Path(config.docs_dir), page.file.src_uri, config.repo_url)


def entry(item: tuple[str, str]) -> str:
    """The heading and the reference of one entry of a registry."""
    name, path = item
    options = "    options: {show_root_toc_entry: false, heading_level: 3}\n"
    return f"## `{name}`\n\n::: {path.replace(':', '.')}\n{options}"


def outward(markdown: str, docs: Path, page: str, repository: str) -> str:
    """The text with links to the repository's other files as addresses; a link to no file is left, and so is found."""

    def address(found: re.Match[str]) -> str:
        target = (docs / page).parent.joinpath("..", found["path"]).resolve()
        if target.is_relative_to(docs) or not target.exists():
            return found[0]
        return f"{repository}/blob/main/{target.relative_to(docs.parent)}{found['anchor'] or ''}"

    return OUTSIDE.sub(address, markdown)
