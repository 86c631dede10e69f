"""Every `mtlrun` command shown in the documents and in the headers of conf/ is one that mtlrun takes."""

import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from mtlrun.cli.commands import COMMANDS
from mtlrun.cli.main import main
from mtlrun.compose import compose, planned_runs, single

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*DOCUMENTS, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"))]
CONF = ("conf", "demos/mtlrun_demos/conf")
HOUSES = """# @package _global_
data: {path: houses.csv}
tasks: {price: {type: regression}, kind: {type: categorical}}
"""


def ours():
    """The files of conf/ and of the demonstrations', without those that a user of this checkout has put there."""
    listed = subprocess.run(["git", "ls-files", *CONF], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:  # no repository: an unpacked sdist
        return sorted(file for folder in CONF for file in (ROOT / folder).rglob("*.yaml"))
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def shown():
    """(where, words) of each command: lines of sh blocks that begin with mtlrun, inline code, headers of YAML."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
        inline = re.findall(r"`(mtlrun [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.S))
        found += [(path.name, line) for line in [*blocks.splitlines(), *inline] if line.startswith("mtlrun")]
    for path in ours():
        header = path.read_text().replace("\\\n#", " ")
        commands = re.findall(r"^# +(mtlrun .*)$", header, re.M)
        found += [(str(path.relative_to(ROOT)), re.split(r" {2,}(?![\w'])", line)[0]) for line in commands]
    commands: dict[tuple[str, ...], str] = {}  # each once, under the first place that shows it
    for where, line in found:
        commands.setdefault(tuple(with_fewer_runs(shlex.split(line, comments=True)[1:])), where)
    # fetch, predict and the like act on what is not here; tests of their own run them
    elsewhere = set(COMMANDS) - {"check", "init"} | {"--help"}
    return [(where, list(words)) for words, where in commands.items() if words and words[0] not in elsewhere]


def with_fewer_runs(words):
    """The same sweep with one seed and one trial: each run that is checked takes its time."""
    experiment = any(word.startswith("experiment=") for word in words)
    if not experiment and "-m" not in words:
        return words
    kept = [word for word in words if not word.startswith(("seed=", "trials="))]
    seeds, trials = (any(word.startswith(key) for word in words) for key in ("seed=", "trials="))
    if "experiment=strategies" in words:  # 26 arms, each with trials; a plan reads the table, which is not here
        kept, trials = [word for word in kept if word != "data=census_income"], True
    return [*kept, *["seed=0"] * (seeds or experiment), *["trials=1"] * trials]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the table that the documents speak of."""
    monkeypatch.chdir(tmp_path)
    rows = range(60)
    frame = pd.DataFrame(
        {
            "area": [50.0 + 3 * (i % 17) for i in rows],
            "room_1": [i % 4 for i in rows],
            "price": [100.0 + i for i in rows],
            "kind": ["abc"[i % 3] for i in rows],
            "sold": [i % 2 for i in rows],
        }
    )
    frame.to_csv("houses.csv", index=False)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(HOUSES)
    return tmp_path


@pytest.mark.parametrize("where, words", [pytest.param(w, c, id=f"{w}: {' '.join(c)[:60]}") for w, c in shown()])
def test_a_shown_command_is_one_that_mtlrun_takes(folder, where, words, capsys, monkeypatch):
    # warnings of leaks, which refuse nothing, take half of the time; tests/data/test_leaks.py is about them
    monkeypatch.setattr("mtlrun.data.inspect.leak_warnings", lambda *arguments, **named: [])
    fetched = {"data=census_income", "experiment=census_sharing", "data=yeast", "experiment=yeast"}
    # not here, or trained by `make evidence`: composed and checked, no more
    if fetched & set(words) or where.startswith("demos/"):
        request = compose([w for w in words if w not in ("-m", "check")], multirun="-m" in words)
        assert planned_runs(request) if request.sweep else single(request)
        return
    if words[0] == "init":
        Path("conf/data/houses.yaml").unlink()
        assert main(words) == 0, capsys.readouterr().err
        return
    donors = ("model.init_from=", "trainer.length_of=")
    if donor := next((word.partition("=")[2] for word in words if word.startswith(donors)), None):
        assert main(["only=[price]", "trainer.max_steps=2", f"hydra.run.dir={donor}"]) == 0
    words = words if words[0] == "check" else ["check", *words]
    status = main(words)
    answer = capsys.readouterr().err
    over = next((word.partition("=")[2] for word in words if word.startswith("hydra.launcher.over=")), None)
    if over is not None and status:  # another launcher that the tests do not install
        assert answer.startswith(f"mtlrun: hydra.launcher.over: {over} is not installed\n"), f"{where}: {answer}"
        return
    device = "trainer.device=cuda" in words and not torch.cuda.is_available()
    assert status == (2 if device else 0), f"{where}: {answer}"


def test_the_example_of_a_data_yaml_in_the_documents_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/data.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", text, re.S)[1]
    assert set(yaml.safe_load(example)) == {"data", "tasks"}
    rows = range(200)
    frame = pd.DataFrame(
        {
            "area": [50.0 + 3 * (i % 17) for i in rows],
            "room_1": [i % 4 for i in rows],
            "price": [100.0 + 7 * (i % 17) for i in rows],
            "kind_of_house": ["abc"[i % 3] for i in rows],
            "listed": [i % 2 for i in rows],
            "sold": ["yes" if i % 5 < 2 else "no" for i in rows],
        }
    )
    frame.to_csv("houses.csv", index=False)
    Path("conf/data").mkdir(parents=True)
    Path("conf/data/houses.yaml").write_text(example)
    assert main(["data=houses", "trainer.epochs=2", "trainer.batch_size=32", "hydra.run.dir=out"]) == 0
    assert (tmp_path / "out/summary.json").exists()


def anchors(text):
    """The anchors that GitHub and the site give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.name)
def test_links_lead_to_a_file_and_a_heading_that_exist(path):
    links = re.findall(r"\]\(([^)\s:]+)\)", re.sub(r"`[^`\n]*`", "", path.read_text()))
    for link in links:
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link
