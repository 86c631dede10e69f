"""Gathers the pages of the site in one folder: python docs/site/pages.py FOLDER.

These are docs/, the pages of the repository's root, the notebook, and the reference. mkdocs.yml builds the site.
"""

import base64
import json
import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from reference_pages import pages as reference

ROOT = Path(__file__).parents[2]
FROM_ROOT = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
ELSEWHERE = {**FROM_ROOT, "examples/notebook.ipynb": "notebook.md", "conf": "reference/runs.md"}
NOTEBOOK = ROOT / "examples/notebook.ipynb"
LINK = re.compile(r"(?<!!)\[((?:`[^`]*`|[^\[\]`])*)\]\(([^)\s]+)\)")


def write(folder: Path) -> None:
    """Writes all pages and pictures into a folder, in place of what it held."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs/images", folder / "images")
    shutil.copy(ROOT / "docs/site/extra.css", folder)
    notebook, pictures = of_notebook(json.loads(NOTEBOOK.read_text(encoding="utf-8")))
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    for name, text in {**gathered(), **reference(), "notebook.md": notebook}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def gathered() -> dict[str, str]:
    """The Markdown of the repository that the site shows, by its path in the site."""
    files = {ROOT / name: page for name, page in FROM_ROOT.items()}
    files |= {file: file.name for file in sorted((ROOT / "docs").glob("*.md"))}
    return {page: for_site(file.read_text(encoding="utf-8"), file) for file, page in files.items()}


def of_notebook(notebook: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """The Markdown of a notebook with its outputs, and its pictures by their path in the site."""
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
            if "image/png" in data:
                name = f"images/notebook_{len(pictures)}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the cell shows]({name})")
            elif "text/html" in data:
                html = re.sub(r"<style.*?</style>|\n\s*", "", data["text/html"], flags=re.S)
                parts.append(re.sub(r"<table[^>]*>", "<table>", html))  # without a class, wide ones scroll
            else:
                parts.append(f"```text\n{data.get('text/plain') or ''.join(output['text'])}\n```")
    return "\n\n".join(parts) + "\n", pictures


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
    page = inside.removeprefix("docs/") if re.fullmatch(r"docs/\w+\.md", inside) else ELSEWHERE.get(inside)
    return f"[{words}]({page}{mark}{anchor})" if page else words


if __name__ == "__main__":
    write(Path(sys.argv[1]))
