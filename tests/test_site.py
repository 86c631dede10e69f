"""The site of the documents: its pages, its navigation, and links between its pages. `make docs` builds it."""

import posixpath
import re
import sys
from pathlib import Path

import pytest
import yaml
from test_docs import anchors

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The Markdown of every page, by its path."""
    sys.path.insert(0, str(ROOT / "docs/site"))
    import pages

    folder = tmp_path_factory.mktemp("site")
    pages.write(folder)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.md")}


def test_the_navigation_lists_every_page_once(pages):
    text = re.sub(r"!!python\S+ \{.*?\}\}", "", (ROOT / "mkdocs.yml").read_text())
    listed = re.findall(r"[\w/]+\.md", str(yaml.safe_load(text)["nav"]))
    assert sorted(listed) == sorted(pages)


def test_links_between_pages_lead_to_a_page_and_a_heading(pages):
    for name, text in pages.items():
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s:]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            file, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), file)) if file else name
            assert target in pages, f"{name}: {link}"
            assert not anchor or anchor in anchors(pages[target]), f"{name}: {link}"


def test_the_reference_has_a_heading_for_every_key(pages):
    assert "## `trainer.patience`" in pages["reference/trainer.md"]
    assert "Default: `[64, 64]` (`mlp`), `[128, 128]` (`tabular`, `tabm`)." in pages["reference/model.md"]
    assert "### `hydra.launcher.max_runs`" in pages["reference/runs.md"]
    assert "## `tasks.TASK.role`" in pages["reference/tasks.md"]


def test_the_pages_name_no_folder_of_this_machine(pages):
    assert not any(str(ROOT) in text or "added by" in text for text in pages.values())
