"""Gathers the pages of the site in one folder: python docs/site/pages.py FOLDER.

These are docs/, the pages of the repository's root, and the reference, which is made here. mkdocs.yml builds the site.
"""

import posixpath
import re
import shutil
import sys
from pathlib import Path

from reference_pages import pages as reference

ROOT = Path(__file__).parents[2]
FROM_ROOT = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(?<!!)\[((?:`[^`]*`|[^\[\]`])*)\]\(([^)\s]+)\)")


def write(folder: Path) -> None:
    """Writes all pages and pictures into a folder, in place of what it held."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs/images", folder / "images")
    shutil.copy(ROOT / "docs/site/extra.css", folder)
    for name, text in {**gathered(), **reference()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def gathered() -> dict[str, str]:
    """The Markdown of the repository that the site shows, by its path in the site."""
    files = {ROOT / name: page for name, page in FROM_ROOT.items()}
    files |= {file: file.name for file in sorted((ROOT / "docs").glob("*.md"))}
    return {page: for_site(file.read_text(encoding="utf-8"), file) for file, page in files.items()}


def for_site(text: str, file: Path) -> str:
    """The text of a file with links as in the site, and with bars in code as MkDocs reads them."""
    text = LINK.sub(lambda link: _link(*link.groups(), file), text)
    text = text.replace("](docs/images/", "](images/")
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace(r"\|", "|"), text)


def _link(words: str, target: str, file: Path) -> str:
    """A link of a file as it is in the site. A link to what the site does not show becomes its words."""
    if "://" in target or target.startswith("#"):
        return f"[{words}]({target})"
    path, mark, anchor = target.partition("#")
    inside = posixpath.relpath(file.parent / path, ROOT)
    page = inside.removeprefix("docs/") if re.fullmatch(r"docs/\w+\.md", inside) else FROM_ROOT.get(inside)
    if inside == "conf":
        page = "reference/runs.md"
    return f"[{words}]({page}{mark}{anchor})" if page else words


if __name__ == "__main__":
    write(Path(sys.argv[1]))
