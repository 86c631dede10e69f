"""A trained network as an ONNX model: its columns in, what predict says out; and which heads leave."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from commands import main, refused
from onnx import numpy_helper

import mtlrun
from mtlrun.compare.analysis.scores import score
from mtlrun.data.kinds import as_texts
from mtlrun.engine import checkpoint
from mtlrun.model.layers import ACTIVATIONS
from mtlrun.runs import predictor
from mtlrun.runs.export import model_file
from mtlrun.runs.export.parity import largest_difference, made_up_rows

ROOT = Path(__file__).parents[2]
SMALL = [
    "trainer.epochs=2",
    "trainer.batch_size=32",
    "model.hidden=[12]",
    "model.head_hidden=[7]",
    "trainer.threads=1",
    "trainer.tensorboard=false",
]
TASKS = """# @package _global_
data: {path: homes.parquet, max_categories: 12,
       inputs: [größe m², when, new, "a, b \\"c\\"", city, mtlrun/x, tag, price]}
tasks:
  price: {type: regression, unit: dollars, target: paid}
  year: {type: regression, loss: l1}
  kind: {type: categorical}
  stars: {type: categorical}
  sold: {type: binary, positive: false}
  half: {type: categorical, role: auxiliary}
  site: {type: binary, role: adversarial}
  area: {type: regression, role: auxiliary, target: größe m²}
  inputs: {type: reconstruction}
"""


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A table with every kind of column, gaps and odd names, in the working directory, as data=homes."""
    monkeypatch.chdir(tmp_path)
    rng, n = np.random.default_rng(0), 300
    size, town = rng.normal(1.7e9, 30, n), rng.choice(["Bonn", "Köln", "Ulm an der Donau"], n)
    signal = (size - 1.7e9) / 30 + (town == "Bonn")
    frame = pd.DataFrame(
        {
            "größe m²": size,
            "when": pd.to_datetime("2020-02-29") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "new": rng.random(n) < 0.5,
            'a, b "c"': rng.integers(1, 6, n),
            "city": town,
            "mtlrun/x": rng.normal(size=n).astype(np.float32),
            "tag": [f"t{i:03d}" for i in rng.integers(0, 40, n)],  # rare ones are pooled
            "price": rng.normal(size=n),  # a column with the name of a task, and no target
            "paid": 2e5 + 5e4 * signal + rng.normal(0, 1e4, n),
            "year": 2000 + 3 * signal,
            "kind": np.select([signal > 1, signal > 0], ["großes Haus", "flat"], "hut"),
            "stars": np.digitize(signal, [-1, 0, 1]) * 2,
            "sold": signal + rng.normal(size=n) > 0,
            "half": np.digitize(signal, [-0.5, 0.5]),
            "site": rng.choice(["x", "y"], n),
        }
    )
    for column in ("größe m²", "when", "city"):
        frame.loc[rng.choice(n, 30, replace=False), column] = None
    frame.to_parquet("homes.parquet")
    (tmp_path / "conf/data").mkdir(parents=True)
    (tmp_path / "conf/data/homes.yaml").write_text(TASKS, encoding="utf-8")
    return frame


def train(*overrides: str, folder: str = "out") -> None:
    assert main(["data=homes", *SMALL, f"hydra.run.dir={folder}", *overrides]) == 0


def raw(frame: pd.DataFrame, session: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    """The rows as a user of the model would put them: numbers, dates as days since 1970, texts."""
    found = {}
    for given in session.get_inputs():
        column = frame[given.name]
        if given.type == "tensor(string)":
            values = as_texts(column)
        elif column.dtype.kind == "M":
            values = ((column - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
        else:
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        found[given.name] = values.reshape(-1, 1)
    return found


def outputs(frame: pd.DataFrame, model: str = "model.onnx") -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model)
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, raw(frame, session)), strict=True))


def numbers(model: str = "model.onnx") -> set[float]:
    """All float32 numbers that a model holds."""
    arrays = [numpy_helper.to_array(i) for i in onnx.load(model).graph.initializer]
    return {float(v) for a in arrays if a.dtype == np.float32 for v in a.ravel()}


def parameters(task: str, folder: str = "out") -> set[float]:
    """All numbers that the head of a task learns."""
    loaded = mtlrun.load(folder)
    assert isinstance(loaded, predictor.NetworkPredictor)
    return {float(v) for p in loaded.network.task_parameters(task) for v in p[0].detach().numpy().ravel()} - {0.0}


def new_rows(homes: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table, and with gaps in every column, and texts that the model does not know."""
    rows = pd.concat([homes.head(60)] * 2, ignore_index=True)
    for i, column in enumerate(["größe m²", "when", "city", "mtlrun/x", "tag", "price"]):
        rows.loc[60 + 7 * i : 70 + 7 * i, column] = None
    rows.loc[50:80:3, "city"] = "Atlantis"
    rows["new"] = rows["new"].astype(object)
    rows.loc[100:110, "new"] = None
    return rows


def differences(frame: pd.DataFrame, found: dict[str, np.ndarray], expected: pd.DataFrame) -> list[float]:
    """By column of predict the largest difference, of estimates over their spread; of classes how many differ."""
    apart = []
    for column in expected.columns:
        task, _, label = column.partition("[")
        values = expected[column].to_numpy()
        if label:
            classes = [c.partition("[")[2][:-1] for c in expected.columns if c.startswith(f"{task}[")]
            own = found[f"{task} probabilities"]
            assert own.shape == (len(frame), len(classes))
            apart.append(np.abs(own[:, classes.index(label[:-1])] - values.astype(float)).max())
        elif f"{task} probabilities" in found:
            apart.append(float((found[task] != values).sum()))
        else:
            own = found[task if task in found else f"{task} (predicted)"]
            apart.append(np.abs(own - values.astype(float)).max() / np.std(values.astype(float)))
    return apart


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["data.standardize_targets=false", "graph=chain"],
        ["model.activation=gelu", "model.head_hidden=[5,4]"],
        ["model.hidden=[]", "model.head_hidden=[]", "graph.receives.price={sold: {gradient: pass, what: logits}}"],
        ["graph.receives={stars: {half: {gradient: reverse, what: label}, trunk: {at: 1, gradient: 0.5}}}"],
        ['data.inputs=["größe m²",when,price]'],
        ["data.inputs=[city,tag]"],
        ["data.inputs=[new]"],
        ["sharing=none", "tasks.half.discard=true"],
        pytest.param(["sharing=soft_l2"], marks=pytest.mark.slow),  # as `none`
        pytest.param(["sharing=mmoe"], marks=pytest.mark.slow),  # as `cgc`
        ["sharing=cgc"],
        ["sharing=cross_stitch", "model.hidden=[8,6]", "lr.base=0.01"],
        ["sharing=ple", "model.hidden=[8,6]", "lr.base=0.01"],
        ["tasks.seen={type: reconstruction, columns: [new, city, when]}"],
        ["model=tabular", "model.clip_outputs=true"],
        ["model=tabm", "lr.base=0.01", "graph.receives={stars: {half: {gradient: pass, what: label}}}"],
        ["model=tabm", "lr.base=0.01", "sharing=groups", "sharing.groups=[[price,kind,half],[sold,stars]]"],
        ["model.embedding=piecewise", "tasks.seen={type: reconstruction, columns: [city, mtlrun/x]}"],
    ],
    ids=" ".join,
)
def test_a_model_says_what_predict_says(
    homes: pd.DataFrame, overrides: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    train(*overrides)
    capsys.readouterr()
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    shown = capsys.readouterr().out
    rows = new_rows(homes)
    expected = mtlrun.load("out").predict(rows)
    found = outputs(rows)
    assert max(differences(rows, found, expected)) < 1e-5
    own = re.search(
        r"parity with predict on (\d+) rows of test and \d+ made up with gaps: largest difference (\S+)", shown
    )
    assert own and own[1] == "45" and 0 < float(own[2]) < 1e-5
    one = outputs(rows.iloc[[64]])
    assert all(np.allclose(one[n], v[[64]], atol=1e-5, rtol=1e-5) for n, v in found.items() if v.dtype.kind == "f")


def test_inputs_outputs_and_what_the_model_says_of_them(
    homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    train()
    capsys.readouterr()
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    session = onnxruntime.InferenceSession("model.onnx")
    assert {i.name: (i.type, i.shape) for i in session.get_inputs()} == {
        name: (f"tensor({'string' if name in ('city', 'tag') else 'double'})", ["N", 1])
        for name in ("größe m²", "when", "new", 'a, b "c"', "city", "mtlrun/x", "tag", "price")
    }
    types = {o.name: (o.type, o.shape) for o in session.get_outputs()}
    assert types == {
        "price (predicted)": ("tensor(double)", ["N"]),
        "year": ("tensor(double)", ["N"]),
        "kind": ("tensor(string)", ["N"]),
        "kind probabilities": ("tensor(double)", ["N", 3]),
        "stars": ("tensor(int64)", ["N"]),
        "stars probabilities": ("tensor(double)", ["N", 4]),
        "sold": ("tensor(bool)", ["N"]),
        "sold probabilities": ("tensor(double)", ["N", 2]),
    }
    said = session.get_modelmeta().custom_metadata_map
    summary = json.loads(Path("out/summary.json").read_text())
    assert (said["mtlrun"], said["config_hash"]) == (mtlrun.__version__, summary["config_hash"])
    assert json.loads(said["inputs"])["when"] == "days since 1970"
    assert json.loads(said["outputs"]) == {
        "price (predicted)": {"task": "price", "is": "estimate", "unit": "dollars"},
        "year": {"task": "year", "is": "estimate", "unit": None},
        "kind": {"task": "kind", "is": "most probable class", "classes": ["flat", "großes Haus", "hut"]},
        "kind probabilities": {"task": "kind", "is": "probabilities", "classes": ["flat", "großes Haus", "hut"]},
        "stars": {"task": "stars", "is": "most probable class", "classes": [0, 2, 4, 6]},
        "stars probabilities": {"task": "stars", "is": "probabilities", "classes": [0, 2, 4, 6]},
        "sold": {"task": "sold", "is": "most probable class", "classes": [True, False]},
        "sold probabilities": {"task": "sold", "is": "probabilities", "classes": [True, False]},
    }
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines]
    assert rows[0] == ["inputs", "type", "shape"] and ["city", "string", "[N,", "1]"] in rows
    assert rows[10] == ["outputs", "type", "shape"] and rows[12] == ["price", "(predicted)", "float64", "[N]"]
    assert lines[-1] == f"{Path('model.onnx').stat().st_size:,} bytes: model.onnx"
    onnx.checker.check_model("model.onnx", full_check=True)


def test_a_linear_model_by_hand(homes: pd.DataFrame) -> None:
    """Scaling, imputing, one-hot and the unit, from the checkpoint's numbers in numpy's float64."""
    train("only=[year]", "model.hidden=[]", "model.head_hidden=[]")
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    tree = checkpoint.load(Path("out/checkpoints/best.pt"))
    state = {k: v[0].double().numpy() for k, v in tree["network"].items()}
    rows = new_rows(homes)
    columns = tree["inputs"]["columns"]
    scaled, gaps, hits = [], [], []
    for column in columns:
        values = rows[column["name"]]
        if column["kind"] == "category":
            words = [*column["categories"], *([None] if column["missing"] else [])]
            hits += [values.isna() if word is None else values == word for word in words]
            continue
        if column["date"]:
            values = (values - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
        parts = [pd.to_numeric(values)]
        for cycle in column["cycles"]:
            angle = 2 * np.pi * parts[0] / {"year": 365.2425, "week": 7, "day": 1}[cycle]
            parts += [np.sin(angle), np.cos(angle)]
        for part in parts:
            at = len(scaled)
            x = (part - state["encoder.mean"][at]) * state["encoder.inverse"][at]
            scaled.append(x.fillna(0).astype(float))
        if column["missing"]:
            gaps.append(values.isna())
    encoded = np.stack([np.asarray(part, dtype=float) for part in (*scaled, *gaps, *hits)], 1)
    encoded[:, len(scaled) :] *= state["encoder.varies"]
    weight, bias = state["heads.0.weights.0"].reshape(-1), float(state["heads.0.biases.0"].reshape(()))
    unit, offset = tree["units"]["year"]
    assert outputs(rows)["year"] == pytest.approx((encoded @ weight + bias) * unit + offset, abs=1e-5)
    assert {c["kind"] for c in columns} == {"numeric", "category"} and gaps and len(hits) > 12
    assert [c["cycles"] for c in columns if c["date"]] == [["year", "week"]]


def test_heads_that_nobody_needs_do_not_leave(homes: pd.DataFrame) -> None:
    train()
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    assert main(["export", "out", "-o", "other.onnx", "--tasks", "half, year,site"]) == 0
    for task in ("price", "year", "kind", "stars", "sold"):
        assert parameters(task) <= numbers()
    for task in ("half", "site", "area", "inputs"):
        assert not parameters(task) & numbers()
    assert parameters("half") | parameters("site") <= numbers("other.onnx")
    assert not parameters("stars") & numbers("other.onnx")
    names = [o.name for o in onnxruntime.InferenceSession("other.onnx").get_outputs()]
    assert names == ["half", "half probabilities", "year", "site", "site probabilities"]
    expected = mtlrun.load("out", ["half", "year", "site"]).predict(homes)
    assert max(differences(homes, outputs(homes, "other.onnx"), expected)) < 1e-5


def test_a_head_whose_estimate_is_needed_is_inside(homes: pd.DataFrame) -> None:
    train("graph.receives={year: {half: stop}, half: {area: pass}}")
    assert main(["export", "out", "-o", "model.onnx", "--tasks", "year"]) == 0
    assert parameters("half") | parameters("area") | parameters("year") <= numbers()
    assert not parameters("stars") & numbers() and not parameters("site") & numbers()
    assert [o.name for o in onnxruntime.InferenceSession("model.onnx").get_outputs()] == ["year"]


def test_the_documents_example_runs(homes: pd.DataFrame) -> None:
    train()
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"), re.S)
    assert code
    homes.to_csv("new.csv", index=False)
    train("data.inputs=[city,new,price,when]", folder="plain")
    assert main(["export", "plain", "-o", "plain.onnx"]) == 0
    names: dict[str, Any] = {}
    exec(code[1].replace("model.onnx", "plain.onnx"), names)
    expected = mtlrun.load("plain").predict(pd.read_csv("new.csv"))
    assert names["found"]["stars"].tolist() == expected["stars"].tolist()
    assert np.allclose(names["found"]["year"], expected["year"], rtol=0, atol=1e-3)
    days = (homes["when"].dt.normalize() - pd.Timestamp(1970, 1, 1)).dt.days  # whole ones, NaN in gaps
    assert np.array_equal(names["inputs"]["when"][:, 0], days, equal_nan=True) and days.isna().sum() == 30


# ---------------------------------------------------------------- parity, and what is refused


def test_a_model_that_says_something_else_is_not_written(
    homes: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train()
    honest = predictor.task_outputs
    monkeypatch.setattr(predictor, "task_outputs", lambda *a: {t: 1.001 * v for t, v in honest(*a).items()})
    answer = refused(["export", "out", "-o", "model.onnx"], capsys)
    assert re.match(
        r"export: onnxruntime and predict differ by 0\.000\d+ on 45 rows of test and .* is not written", answer
    )
    monkeypatch.setattr(predictor, "task_outputs", lambda *a: {t: np.nan * v for t, v in honest(*a).items()})
    assert "differ by nan" in refused(["export", "out", "-o", "model.onnx", "--tasks", "year"], capsys)
    assert not [p.name for p in Path().iterdir() if "onnx" in p.name]


def test_parity_of_classes_counts_how_much_less_probable_another_is(homes: pd.DataFrame) -> None:
    train("only=[stars,year]")
    loaded = mtlrun.load("out")
    assert isinstance(loaded, predictor.NetworkPredictor)
    expected = loaded.predict(homes)
    own = expected[[f"stars[{c}]" for c in (0, 2, 4, 6)]].to_numpy()
    names = {"stars": ("stars", "p"), "year": ("year", "")}
    same = {"stars": expected["stars"].to_numpy(), "p": own, "year": expected["year"].to_numpy()}
    assert largest_difference(loaded, names, homes, same) == 0
    other = same | {"stars": np.array([int(2 * np.argmin(own[0])), *same["stars"][1:]])}
    assert largest_difference(loaded, names, homes, other) == pytest.approx(own[0].max() - own[0].min())
    spread = loaded.units["year"][0]
    assert largest_difference(loaded, names, homes, same | {"year": same["year"] + 0.01 * spread}) == pytest.approx(
        0.01, rel=1e-3
    )
    assert np.isnan(largest_difference(loaded, names, homes, same | {"year": same["year"] * np.nan}))


def test_of_classes_that_float32_cannot_tell_apart_the_first_is_said(homes: pd.DataFrame) -> None:
    """By predict and by the model: the last layers give 0 and rounding, growing with the number of the class."""
    train("data=homes", *SMALL)
    path = Path("out/checkpoints/best.pt")
    tree = checkpoint.load(path)
    last = max(name.rsplit(".", 1)[1] for name in tree["network"] if ".biases." in name)
    for name, value in tree["network"].items():
        if name.startswith("heads.") and name.endswith(f".{last}"):
            rising = 1e-7 * torch.arange(value.shape[-1]) + 1e-7
            value.copy_(rising.expand_as(value) if ".biases." in name else torch.zeros_like(value))
    checkpoint.save(path, tree)
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    expected, found = mtlrun.load("out").predict(homes), outputs(homes)
    for task, classes in mtlrun.load("out").classes.items():
        if task in expected and classes:
            assert (expected[task] == classes[0]).all() and (found[task] == expected[task].to_numpy()).all(), task


def test_without_its_table_made_up_rows_are_compared(homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    train()
    Path("homes.parquet").unlink()
    capsys.readouterr()
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    assert "parity with predict on 64 made-up rows, as the run's table cannot be read: " in capsys.readouterr().out
    loaded = mtlrun.load("out")
    assert isinstance(loaded, predictor.NetworkPredictor)
    rows = made_up_rows(loaded.spec, loaded.network.encoder)
    assert rows.isna().any().all() and loaded.unknown(rows)["city"] > 5
    assert {"Bonn", "Köln", "Ulm an der Donau"} <= set(rows["city"].dropna())
    assert max(differences(rows, outputs(rows), loaded.predict(rows))) < 1e-5


def test_what_cannot_be_exported_is_refused(
    homes: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train("trainer.epochs=1")
    ask = ["export", "out", "-o", "model.onnx"]
    assert refused([*ask, "--tasks", "star"], capsys) == (
        "--tasks: star: no such task; did you mean stars?\nallowed: price, year, kind, stars, sold, half, site, area\n"
    )
    assert refused([*ask, "--tasks", "inputs"], capsys).startswith("--tasks: inputs: reconstructs the inputs")
    assert refused([*ask, "--tasks", ""], capsys).startswith("--tasks: no task is named")
    Path("old.onnx").write_text("mine")
    assert refused(["export", "out", "-o", "old.onnx"], capsys).startswith("-o: old.onnx exists already")
    assert refused(["export", "out", "-o", "no/model.onnx"], capsys).startswith("-o: there is no folder no")
    assert refused(["export", "conf", "-o", "model.onnx"], capsys).startswith("conf: no trained model")
    monkeypatch.setattr(model_file, "LARGEST", 1000)
    assert "that one ONNX file holds" in refused(ask, capsys)
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in [name for name in sys.modules if name.startswith("mtlrun.runs.export")]:
        monkeypatch.delitem(sys.modules, name)
    answer = refused(ask, capsys)
    assert answer.startswith("export: needs onnx and onnxruntime (")
    assert answer.endswith(")\ninstall them: pip install 'mtlrun[export]'\n")
    assert Path("old.onnx").read_text() == "mine" and not Path("model.onnx").exists()


def test_trees_are_no_network(homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=homes", "model=boosting", "model.iterations=3", "only=[stars,half]", "hydra.run.dir=trees"]) == 0
    answer = refused(["export", "trees", "-o", "model.onnx"], capsys)
    assert answer.startswith("export: trees has model=boosting, and only networks are exported\n")
    capsys.readouterr()
    assert main(["predict", "trees", "homes.parquet", "-o", "half.csv", "--tasks", "half"]) == 0
    assert [*pd.read_csv("half.csv")] == ["half", "half[0]", "half[1]", "half[2]"]
    assert not Path("model.onnx").exists()


def test_an_operator_that_onnx_lacks_is_named(
    homes: pd.DataFrame, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    monkeypatch.setitem(ACTIVATIONS, "relu", torch.special.bessel_j0)
    answer = refused(["export", "out", "-o", "model.onnx"], capsys)
    assert answer.startswith("export: torch cannot write this network as ONNX (") and "bessel_j0" in answer
    assert not Path("model.onnx").exists()


# ---------------------------------------------------------------- which heads leave


def test_predict_gives_the_tasks_that_are_named(homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    train("only=[year,half,site,sold]")
    whole = mtlrun.load("out").predict(homes)
    assert [c for c in whole if "[" not in c] == ["year", "sold"]
    assert main(["predict", "out", "homes.parquet", "-o", "some.csv", "--tasks", "half,year"]) == 0
    some = pd.read_csv("some.csv")
    assert [*some] == ["half", "half[0]", "half[1]", "half[2]", "year"]
    assert some["year"].to_numpy() == pytest.approx(whole["year"].to_numpy())
    assert np.array_equal(some["half"], some[["half[0]", "half[1]", "half[2]"]].to_numpy().argmax(1))
    ask = ["predict", "out", "homes.parquet", "-o", "x.csv", "--tasks"]
    assert refused([*ask, "kind"], capsys).startswith("--tasks: kind: was not trained, as `only` leaves it out\n")
    assert not Path("x.csv").exists()


def test_a_head_may_exist_only_while_training(homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    some = "only=[year,stars,half,area,site]"
    train(some, folder="all")
    train(some, "tasks.half.discard=true", "tasks.site.discard=true", folder="out")
    trees = {name: checkpoint.load(Path(name, "checkpoints/best.pt"))["network"] for name in ("all", "out")}
    held = {name: {float(v) for t in tree.values() for v in t.ravel()} for name, tree in trees.items()}
    assert parameters("half", "all") <= held["all"] and not parameters("half", "all") & held["out"]
    assert not parameters("site", "all") & held["out"] and parameters("area", "all") <= held["out"]
    assert Path("all/metrics.csv").read_text() == Path("out/metrics.csv").read_text()  # trained all the same
    pd.testing.assert_frame_equal(*(mtlrun.load(f, ["stars", "area"]).predict(homes) for f in ("all", "out")))
    for words in (["predict", "out", "homes.parquet", "-o", "x.csv"], ["export", "out", "-o", "x.onnx"]):
        assert refused([*words, "--tasks", "half"], capsys) == (
            "--tasks: half: its head existed only while training, as tasks.half.discard says\n"
            "allowed: year, stars, area\n"
        )
    assert main(["export", "out", "-o", "model.onnx"]) == 0
    assert max(differences(homes, outputs(homes), mtlrun.load("all").predict(homes))) < 1e-5
    one, two = (score(Path(name), "test", None) for name in ("all", "out"))
    assert set(one.tasks) - set(two.tasks) == {"half", "site"}
    assert two.tasks["stars"].columns["logloss"] == pytest.approx(one.tasks["stars"].columns["logloss"], abs=1e-6)


def test_runs_of_a_stack_may_discard_different_heads(homes: pd.DataFrame) -> None:
    assert (
        main(
            [
                "-m",
                "data=homes",
                *SMALL,
                "only=[year,half,stars]",
                "tasks.half.discard=true,false",
                "hydra.sweep.dir=s",
                "hydra.launcher.processes=1",
            ]
        )
        == 0
    )
    found = sorted(path.parent for path in Path("s").glob("*/summary.json"))
    assert len(found) == 2
    assert json.loads((found[0] / "summary.json").read_text())["stack"]["size"] == 2
    sizes = [sum(v.numel() for v in checkpoint.load(f / "checkpoints/best.pt")["network"].values()) for f in found]
    head = 12 * 7 + 7 + 7 * 3 + 3
    padding = 8  # stars has four classes, to which half is padded in their block
    assert sizes[1] - sizes[0] == head + padding + 2  # and its mean and spread
    pd.testing.assert_frame_equal(*(mtlrun.load(f).predict(homes) for f in found))


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (["tasks.year.discard=true"], "tasks.year.discard: found true, and tasks.year.role is main\n"),
        (
            ["tasks.half.discard=true", "graph.receives.year.half=stop"],
            "tasks.half.discard: year receives its prediction, also when the run predicts\n",
        ),
        (
            ["tasks.half.discard=true", "graph=chain", "graph.what=label"],
            "tasks.half.discard: site receives its label, also when the run predicts\n",
        ),
        (["tasks.half.discard=1.5"], "tasks.half.discard: "),
    ],
)
def test_a_head_that_is_needed_is_not_discarded(
    homes: pd.DataFrame, overrides: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(["check", "data=homes", *overrides], capsys).startswith(answer)


def test_check_says_which_heads_are_discarded(homes: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "data=homes", "tasks.half.discard=true"]) == 0
    assert " half: head only while training\n" in capsys.readouterr().out


def test_a_discarded_head_may_feed_another(homes: pd.DataFrame) -> None:
    train(
        "only=[year,area,half]",
        "tasks.half.discard=true",
        "tasks.area.discard=true",
        "graph.receives.area.half=pass",
        "graph.receives.area.year=pass",
    )
    assert [*mtlrun.load("out").predict(homes)] == ["year"]
    network = checkpoint.load(Path("out/checkpoints/best.pt"))["network"]
    assert network["label_mean"].shape == (1, 1)
