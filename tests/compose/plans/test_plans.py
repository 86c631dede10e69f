"""Plans on a table of the user's own: which runs they make, what these have in common, and what they refuse."""

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import last_of
from plots import write_plots
from support import make_config

from mtlrun.compose import PlannedRun, Request, compose, planned_runs
from mtlrun.compose.plans import PLANS, PlanRequest, reading_of, sizes, tune_of
from mtlrun.compose.plans.budget import equal_steps
from mtlrun.compose.plans.extra_data import READING as EXTRA_DATA
from mtlrun.compose.plans.reading import Word
from mtlrun.compose.plans.rivals import READING as RIVALS
from mtlrun.compose.plans.shuffled import READING as SHUFFLED
from mtlrun.config.length import length_of
from mtlrun.config.schema import BoostingConfig, PerHeadLrConfig, TrainerConfig
from mtlrun.config.schema.loss import LOSS_SETTINGS, FixedLossConfig
from mtlrun.data.dataset import load_dataset
from mtlrun.runs.build import build_stack
from mtlrun.runs.size import size
from mtlrun.sweeps.seeds import seeds_line
from mtlrun.util.errors import RequestError

SMALL = ["data=plots", "model.hidden=[16,8]", "model.head_hidden=[8]", "trainer.batch_size=32", "trainer.epochs=4"]


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the table; no test changes it."""
    folder = tmp_path_factory.mktemp("plots")
    write_plots(folder)
    return folder


@pytest.fixture(autouse=True)
def here(plots: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, the same for all tests, so that a plan is made once."""
    monkeypatch.chdir(plots)
    return plots


@pytest.fixture
def own_table(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory whose files a test may change."""
    write_plots(tmp_path)
    monkeypatch.chdir(tmp_path)


def planned(name: str, *overrides: str) -> tuple[list[PlannedRun], list[str]]:
    """The runs of a plan on small networks with three seeds, and the lines that it has to say."""
    runs, notes = made(Path.cwd(), name, *overrides)
    return [*runs], [*notes]


@functools.cache
def made(here: Path, name: str, *overrides: str) -> tuple[list[PlannedRun], list[str]]:
    request = compose(last_of([f"experiment={name}", *SMALL, "seed=range(3)", *overrides]))
    return planned_runs(request), request.notes


def refused(name: str, *overrides: str) -> str:
    with pytest.raises(RequestError) as caught:
        planned(name, *overrides)
    assert 1 <= len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def arms(runs: Sequence[PlannedRun]) -> dict[str, list[PlannedRun]]:
    return {label: [run for run in runs if run.arm == label] for label in dict.fromkeys(run.arm for run in runs)}


def parameters(runs: Sequence[PlannedRun]) -> int:
    """The parameters of networks that are built."""
    nets = [build_stack([run.config], [load_dataset(run.config)]).network for run in runs]
    return sum(p.numel() for net in nets for p in net.parameters())


# ---------------------------------------------------------------- what all plans have in common


@pytest.mark.parametrize("name", PLANS)
def test_every_arm_is_paired_by_seed_and_follows_what_is_asked_of_all(name: str) -> None:
    runs, _ = planned(name, "lr.base=0.004", "data.split.train=0.6", "trials=null")
    assert runs[0].run.startswith(f"000_{runs[0].arm.replace(' ', '-')}")
    told = Counter((run.arm, *(f"{k}={v}" for k, v in run.overrides.items() if k != "seed")) for run in runs)
    assert set(told.values()) == {3}, "three seeds of each setting"
    for run in runs:
        rates = {0.004} if run.arm != "alone, other rates" else {0.0004, 0.0012, 0.012, 0.04}
        assert run.config.boosting or run.config.lr.base in rates
        assert run.config.data.split.train == 0.6 and run.config.name == name
    for own in arms(runs).values():  # one network at least can be built of every arm
        build_stack([own[0].config], [load_dataset(own[0].config)])


def test_a_plan_on_the_command_line_is_the_experiment() -> None:
    by_experiment, _ = planned("shuffled")
    request = compose(["arms=shuffled", *SMALL, "seed=range(3)", "name=shuffled"], multirun=True)
    assert [run.config for run in planned_runs(request)] == [run.config for run in by_experiment]


# ---------------------------------------------------------------- baselines


def test_baselines() -> None:
    runs, notes = planned("baselines")
    found = arms(runs)
    assert {label: len(own) for label, own in found.items()} == {
        "plain sum": 3,
        "alone": 9,
        "alone, width-matched": 9,
        "boosting": 3,
        "uncertainty": 3,
        "fixed weights": 27,
    }
    assert all(isinstance(run.config.model, BoostingConfig) for run in found["boosting"])
    assert {tuple(run.config.only or []) for run in found["alone"]} == {("crop",), ("height",), ("kind",)}
    weights = [
        run.config.loss.weights for run in found["fixed weights"] if isinstance(run.config.loss, FixedLossConfig)
    ]
    assert weights[::3] == [{task: w} for task in ("crop", "height", "kind") for w in (0.1, 3.0, 10.0)]
    assert found["fixed weights"][0].run == "027_fixed-weights,loss.weights.crop=0.1,seed=0"
    assert len(notes) == 2 and notes[1].startswith("alone, width-matched: model.hidden=[")


def test_width_matched_nets_have_the_shared_net_s_parameters_together() -> None:
    runs, notes = planned("baselines", "model.hidden=[64,48]")
    found = arms(runs)
    shared = parameters(found["plain sum"][:1])
    single = parameters([run for run in found["alone, width-matched"] if run.config.seed == 0])
    assert single == pytest.approx(shared, rel=0.03)
    assert parameters([run for run in found["alone"] if run.config.seed == 0]) > 1.5 * shared
    widths = "model.hidden=[40,30] model.head_hidden=[5]"
    sizes = f"{single:,} parameters in 3 nets; the shared net has {shared:,}"
    assert notes[1:] == [f"alone, width-matched: {widths}, {sizes}"]


@pytest.mark.parametrize("only", [["crop"], ["kind"], ["flag"], ["crop", "inputs"], ["crop", "kind", "flag", "inputs"]])
def test_parameters_are_counted_as_the_network_counts_them(own_table: None, only: list[str]) -> None:
    frame = pd.read_csv("plots.csv")
    frame.assign(flag=(frame["a"] > 0).astype(int)).to_csv("plots.csv", index=False)
    words = ["+tasks.flag={type: binary}", "+tasks.inputs={type: reconstruction, role: auxiliary}"]
    config = planned_runs(compose(last_of([*SMALL, *words, f"only=[{','.join(only)}]"])))[0].config
    network = build_stack([config], [load_dataset(config)]).network
    assert sizes.parameters(PlanRequest("baselines", [config]), only) == network.parameter_count()


def test_two_tasks_have_a_line_of_ratios() -> None:
    runs, _ = planned("baselines", "only=[crop,kind]")
    weights = [run.config.loss.weights for run in arms(runs)["fixed weights"][::3]]
    assert weights == [{"crop": w} for w in (0.03, 0.1, 0.3, 3.0, 10.0, 30.0)]


def test_a_plan_is_made_anew_for_each_of_what_is_swept_beside_it(own_table: None) -> None:
    runs, notes = planned("baselines", "model.hidden=[16,8],[64,32]")
    found = arms(runs)
    widths = {tuple(run.config.net.hidden) for run in found["alone, width-matched"]}
    assert len(widths) == 2 and len(notes) == 4  # a line for each; steps and boosting are the same for both
    assert {tuple(run.config.net.hidden) for run in found["alone"]} == {(16, 8), (64, 32)}
    assert "model.hidden=64,32" in next(run.run for run in runs if run.config.net.hidden == [64, 32])
    Path("conf/data/barns.yaml").write_text(Path("conf/data/plots.yaml").read_text().replace("kind", "b"))
    runs, _ = planned("shuffled", "data=plots,barns")
    assert [run.config.only for run in runs if run.arm == "with auxiliary tasks"] == [
        ["crop", "height", "kind"]
    ] * 3 + [["crop", "height", "b"]] * 3


# ---------------------------------------------------------------- lessons


def test_lessons_are_a_full_factorial() -> None:
    runs, notes = planned("lessons")
    found = arms(runs)
    for label, policy in (("alone", "single"), ("alone, per_head", "per_head")):
        lone = found.pop(label)
        assert len(lone) == 9 and {(r.config.lr.name, r.config.graph.name, r.config.loss.name) for r in lone} == {
            (policy, "none", "sum")
        }
    names = itertools.product(("sum", "fixed", "uncertainty"), ("single", "per_head"), ("no edges", "stop", "pass"))
    assert [*found] == [", ".join(name) for name in names]
    for label, own in found.items():
        strategy, policy, edges = label.split(", ")
        config = own[0].config
        assert (config.loss.name, config.lr.name) == (strategy, policy)
        assert config.graph.name == ("none" if edges == "no edges" else "chain")
        assert config.graph.gradient == (edges if config.graph.name == "chain" else "stop")
        if isinstance(config.lr, PerHeadLrConfig):
            assert (config.lr.trunk, config.lr.heads) == ("0.3x", {"default": "3x"})
    assert notes[0].startswith("fixed weights: crop ")


def test_the_fixed_weights_of_lessons_are_inverse_trivial_losses() -> None:
    (run, *_), _ = planned("lessons", "arms=[{loss: sum}]")
    split = load_dataset(run.config).split
    frame = pd.read_csv("plots.csv")
    train, val = frame.iloc[split.train], frame.iloc[split.val]
    worth = {}
    for task, factor in (("crop", 3.0), ("height", 1.0)):
        z = (val[task] - train[task].mean()) / train[task].std(ddof=0)
        worth[task] = factor / (z**2).mean()
    rates = train["kind"].value_counts(normalize=True)
    worth["kind"] = 1 / -np.log(rates[val["kind"].dropna()].to_numpy()).mean()
    loss = next(r.config.loss for r in planned("lessons")[0] if r.arm.startswith("fixed"))
    assert isinstance(loss, FixedLossConfig)
    expected = {task: 3 * value / sum(worth.values()) for task, value in worth.items()}
    assert loss.weights == pytest.approx(expected, rel=0.006)


def test_every_strategy_has_an_arm_with_the_same_trials_and_seeds() -> None:
    runs, notes = planned("strategies", "trials=2", "lr.base=tag(log,interval(3e-4,1e-2))")
    found = arms(runs)
    assert found.keys() == LOSS_SETTINGS.keys() | {"alone", "uncertainty, closed form"}
    rates = {run.config.lr.base for run in found["sum"]}
    assert len(rates) == 2 and all(3e-4 <= rate <= 1e-2 for rate in rates)
    for label, own in found.items():
        pairs = sorted((run.config.lr.base, run.config.seed) for run in own)
        assert set(pairs) == set(itertools.product(rates, range(3)))
        assert len(own) == (18 if label == "alone" else 6)  # three tasks
        name = {"alone": "sum", "uncertainty, closed form": "uncertainty"}.get(label, label)
        assert {run.config.loss.name for run in own} == {name}
    assert "gls, imtl_l and uncertainty in closed form are one direction, not three methods" in notes
    line = seeds_line(runs)
    assert line is not None and line.startswith("26 settings against a reference need 11 seeds"), line


# ---------------------------------------------------------------- one task's question


def test_shuffled() -> None:
    found = arms(planned("shuffled", "focus=height", "trainer.select=crop")[0])
    assert [*found] == ["alone", "with auxiliary tasks", "auxiliary labels shuffled"]
    for label, own in found.items():
        config = own[0].config
        assert config.active.keys() == ({"height"} if label == "alone" else {"crop", "height", "kind"})
        assert {t: task.role for t, task in config.tasks.items()} == {
            "crop": "auxiliary",
            "height": "main",
            "kind": "auxiliary",
        }
        shuffled = {t for t, task in config.tasks.items() if task.shuffle}
        assert shuffled == ({"crop", "kind"} if label == "auxiliary labels shuffled" else set())
        assert config.trainer.select == "skill"  # crop is no main task here


def test_rivals() -> None:
    found = arms(planned("rivals")[0])
    lone = {label: own for label, own in found.items() if label.startswith("alone")}
    assert all(run.config.only == ["crop"] for own in lone.values() for run in own)
    assert {run.config.trainer.gradient_noise for run in found["alone, noise on gradients"]} == {1.0}
    assert {run.config.net.restart for run in found["alone, restarted"]} == {1, 2, 3}
    assert [run.config.lr.base for run in found["alone, other rates"][::3]] == [0.0001, 0.0003, 0.003, 0.01]
    assert [run.config.net.hidden for run in found["alone, narrower"][::3]] == [[8, 4], [4, 2]]


def test_affinity() -> None:
    found = arms(planned("affinity", "tasks.kind.role=auxiliary", "+tasks.a={type: regression}")[0])
    assert [run.config.only for run in found["pairs"][::3]] == [["crop", "height"], ["crop", "a"], ["height", "a"]]
    assert found["all together"][0].config.only == ["crop", "height", "a"]
    assert [run.config.trainer.log_gradients for own in found.values() for run in own[:1]] == [False, True, True]


# ---------------------------------------------------------------- equal steps


def steps(request_runs: Sequence[PlannedRun]) -> dict[str, set[tuple[int, str]]]:
    """The most steps and the batch size of each arm's runs."""
    sizes = [(run.arm, size(run.config, load_dataset(run.config))) for run in request_runs]
    return {arm: {(s.steps, s.shared["rows per batch"]) for a, s in sizes if a == arm} for arm, _ in sizes}


def test_extra_data_takes_equal_steps_with_equally_many_labels_of_the_focus() -> None:
    runs, notes = planned("extra_data", "tasks.crop.train_labels=20")
    found = steps(runs)
    others = "height and kind"
    assert [*found] == [
        "1 alone",
        f"2 with {others} on rows of crop",
        f"3 with {others}",
        f"4 with {others} shuffled",
        f"5 with inputs of {others}",
        "6 alone, all labels of crop",
        "1 alone, width-matched",
        "1 alone, compute-matched",
    ]
    ((most, _),) = found.pop("1 alone, compute-matched")
    frame = pd.read_csv("plots.csv").iloc[load_dataset(runs[0].config).split.train]
    rows = frame[["height", "kind"]].notna().any(axis=1).sum()  # every row with crop has height
    few = [label for label in found if label.startswith(("1", "2"))]
    assert all(found[label] == {(4 * (rows // 20), str(round(20 * 20 / rows)))} for label in few)
    assert all(own == {(4 * (rows // 20), "20")} for label, own in found.items() if label not in few)
    shared, lone = (parameters(arms(runs)[label][:1]) for label in (f"3 with {others}", "1 alone"))
    assert most == pytest.approx(4 * (rows // 20) * shared / lone, abs=1)
    wide = parameters(arms(runs)["1 alone, width-matched"][:1])
    assert wide == pytest.approx(shared, rel=0.05)
    assert all(run.config.trainer.patience is None for run in runs)
    bound = arms(runs)["6 alone, all labels of crop"][0].config
    assert bound.only == ["crop"] and bound.tasks["crop"].train_labels is None
    inputs = arms(runs)[f"5 with inputs of {others}"][0].config
    assert inputs.only == ["crop", "inputs"] and inputs.tasks["inputs"].train_rows_of in ("height", "kind")
    shuffled = arms(runs)[f"4 with {others} shuffled"][0].config
    assert [task.shuffle for task in shuffled.tasks.values()] == [False, True, True]
    assert f"1 alone, compute-matched: {most:,} steps; the others take {4 * (rows // 20):,}" in notes


@pytest.mark.parametrize("name", ["shuffled", "rivals", "affinity", "baselines", "lessons"])
def test_arms_take_equal_steps_where_tasks_have_labels_in_different_rows(name: str) -> None:
    runs, notes = planned(name)
    runs = [run for run in runs if run.arm != "boosting"]
    splits = [load_dataset(run.config).split for run in runs[:3]]
    frames = [pd.read_csv("plots.csv").iloc[split.train] for split in splits]
    lone = ["crop"] if name in ("shuffled", "rivals") else ["crop", "kind"]
    fewest = min(int(frame[lone].notna().sum().min()) for frame in frames)
    every = int(frames[0][["crop", "height", "kind"]].notna().any(axis=1).sum())
    batch = min(32, fewest)
    assert set().union(*steps(runs).values()) == {(4 * (every // batch), str(batch))}
    assert f"every net takes {4 * (every // batch)} steps on batches of {batch}" in "; ".join(notes)


@pytest.mark.parametrize("name", ["lessons", "shuffled", "rivals", "affinity", "extra_data"])
def test_further_seeds_have_the_same_arms(name: str) -> None:
    found = []
    for seeds in ("seed=0", "seed=5,6"):
        runs, _ = planned(name, seeds, "trainer.batch_size=8")
        assert {run.config.seed for run in runs}.isdisjoint(found[0][1] if found else [])
        told = {(run.arm, *((k, v) for k, v in run.overrides.items() if k != "seed")) for run in runs}
        found.append((told, {run.config.seed for run in runs}))
    assert found[0][0] == found[1][0]


def test_arms_stop_early_as_asked_where_tasks_have_labels_in_the_same_rows() -> None:
    runs, notes = planned("shuffled", "focus=height", "only=[crop,height]")  # crop: some rows of height
    assert {run.config.trainer.patience for run in runs} == {10} and not notes


def test_extra_data_leaves_out_what_the_data_cannot_give(own_table: None) -> None:
    frame = pd.read_csv("plots.csv")
    frame.loc[frame["crop"].notna(), ["height", "kind"]] = None
    frame.to_csv("plots.csv", index=False)
    runs, notes = planned("extra_data", "tasks.crop.train_labels=20")
    assert [label[0] for label in arms(runs)] == ["1", "3", "4", "5", "1", "1"]
    assert "2 height and kind on rows of crop: left out, as no training row has labels of both" in notes
    assert "6 more labels of crop: left out, as the rows of height and kind have none" in notes

    frame["crop"] = frame["a"]
    frame["height"] = np.where(frame.index % 2, frame["b"], np.nan)
    frame.to_csv("houses.csv", index=False)
    runs, notes = planned("extra_data", "data.path=houses.csv", "only=[crop,height]")
    assert [label[0] for label in arms(runs)] == ["1", "3", "4", "5", "1", "1"]
    assert any(note.startswith("2 height on rows of crop: left out, as it is the same as 3") for note in notes)
    assert any(note.startswith("6 more labels of crop: left out, as no setting holds labels back") for note in notes)


def test_a_learning_curve_takes_equal_steps_on_equal_batches() -> None:
    runs, notes = planned("learning_curve")
    # of 280, with labels of crop in one of four
    assert notes[0].startswith("14, 28, 56 training rows: left out, as some main task has fewer than 10 labels")
    assert [run.config.data.train_rows for run in arms(runs)["together"][::3]] == [140, 280]
    found = steps(runs)
    assert found["together"] == found["alone"] and len(found["alone"]) == 1
    ((_, batch),) = found["alone"]
    alone = [load_dataset(run.config) for run in runs if run.config.only == ["crop"]]
    fewest = min(data.targets["crop"].observed[data.split.train].sum() for data in alone)
    assert int(batch) == fewest and all(run.config.trainer.patience is None for run in runs)


@pytest.mark.parametrize(
    ("trainer", "fewest", "rows", "expected"),
    [
        ({}, 50, 280, (50, 2000)),
        ({}, 280, 280, (64, 2000)),
        ({}, 3000, 9000, (128, 5600)),
        ({}, 40, 9000, (40, 8000)),
        ({"max_steps": 70}, 50, 280, (50, 70)),
        ({"epochs": 4}, 50, 280, (50, 20)),
        ({"batch_size": 10}, 50, 280, (10, 2240)),
    ],
    ids=str,
)
def test_equal_budgets_follow_the_rule_on_all_rows(
    trainer: dict[str, int], fewest: int, rows: int, expected: tuple[int, int]
) -> None:
    request = PlanRequest("lessons", [make_config(trainer={"epochs": "auto", "batch_size": "auto"} | trainer)])
    budget = equal_steps(request, fewest, rows)
    assert (budget["trainer.batch_size"], budget["trainer.max_steps"]) == expected
    assert (
        length_of(TrainerConfig(**{key.split(".")[1]: value for key, value in budget.items()}), rows).steps
        == expected[1]
    )


# ---------------------------------------------------------------- wrong requests


@pytest.mark.parametrize(
    ("name", "words", "answer"),
    [
        (
            "shuffled",
            ["focus=crp"],
            "focus: found 'crp', which is no main task; did you mean crop?\nallowed: crop, height",
        ),
        ("shuffled", ["focus=kind", "tasks.kind.role=auxiliary"], "focus: found 'kind', which is no main task\n"),
        ("shuffled", ["focus=crop,height"], "focus: found crop,height, which is a sweep\nallowed: a main task"),
        ("shuffled", ["only=[crop]"], "arms: shuffled needs a task beside crop, and there is none\n"),
        ("lessons", ["only=[crop]"], "arms: lessons compares tasks together and alone: there is crop only\n"),
        ("affinity", ["only=[crop]"], "arms: affinity needs two main tasks or more, and there is crop only\n"),
        ("rivals", ["model=boosting", "arms=rivals"], "model.hidden: model=boosting has no such key"),
        ("shuffled", ["loss=uncertanty"], "loss: found uncertanty, which is no option of this group; did you mean"),
        ("shuffled", ["lr.bas=1"], "lr.bas: lr=single has no such key; did you mean base?"),
        ("shuffled", ["arms=shufled"], "arms: found 'shufled', which is no plan; did you mean shuffled?\nallowed: "),
        (
            "shuffled",
            ["arms=[{loss: sum}]", "focus=crop"],
            "focus: found 'crop', and no plan asks about a task\nadd one",
        ),
    ],
)
def test_wrong_requests(name: str, words: list[str], answer: str) -> None:
    assert refused(name, *words).startswith(answer)


def test_boosting_is_no_network_to_compare() -> None:
    with pytest.raises(RequestError, match="arms: shuffled compares networks, and model is boosting\nleave it out"):
        planned_runs(compose(["arms=shuffled", "data=plots", "model=boosting"], multirun=True))


def test_a_plan_and_its_focus_are_no_run() -> None:
    for words, key in ((["arms=shuffled"], "arms"), (["focus=crop"], "focus")):
        request: Request = compose(last_of([*SMALL, *words]))
        assert not request.sweep
        from mtlrun.compose import single

        with pytest.raises(RequestError, match=f"^{key}: .*this is one run"):
            single(request)


# ---------------------------------------------------------------- how they are read


def test_what_a_plan_contrasts_are_arms_that_it_makes() -> None:
    for name, count in (("shuffled", 2), ("rivals", 6), ("extra_data", 4)):
        runs, _ = planned(name, "tasks.crop.train_labels=20")
        reading, found = reading_of(arms(runs))
        assert len({own.contrast for own in found}) == len(reading.contrasts) == count, name
        assert reading is {"shuffled": SHUFFLED, "rivals": RIVALS, "extra_data": EXTRA_DATA}[name]
    names = [own.name for own in found]
    assert names[:2] == ["data and sharing", "sharing alone"]
    assert names[2] == "information in the labels of height and kind"
    for name in ("baselines", "lessons", "learning_curve", "affinity"):
        assert not reading_of(arms(planned(name)[0]))[1]


def test_keys_that_are_chosen_on_val_are_those_that_an_arm_lists() -> None:
    for name in PLANS:
        found = arms(planned(name)[0])
        for label, keys in tune_of(found).items():
            values = {tuple(v for k, v in run.overrides.items() if k.startswith(keys)) for run in found[label]}
            assert len(values) > 2, f"{name}: {label}"
    assert tune_of(arms(planned("baselines")[0])) == {"fixed weights": ("loss.weights",)}


@pytest.mark.parametrize(
    ("alone", "shuffled", "answer"),
    [
        ("gain", "gain", "There is transfer: "),
        ("gain", "undecided", "No transfer may be claimed: better than alone, "),
        ("undecided", "gain", "No transfer may be claimed: not shown"),
        ("none", "none", "No transfer may be claimed: not"),
        ("loss", "gain", "The auxiliary tasks do harm"),
    ],
)
def test_transfer_needs_both(alone: Word, shuffled: Word, answer: str) -> None:
    assert SHUFFLED.answer is not None
    names = [contrast.name for contrast in SHUFFLED.contrasts]
    assert SHUFFLED.answer(dict(zip(names, (alone, shuffled), strict=True))).startswith(answer)


def test_rivals_are_ruled_out_one_by_one() -> None:
    assert RIVALS.answer is not None
    found: dict[str, Word] = dict.fromkeys([contrast.name for contrast in RIVALS.contrasts], "gain")
    assert RIVALS.answer(found) == "The gain is what the labels say: every rival explanation is ruled out."
    said = RIVALS.answer(found | {"noise": "undecided", "lost capacity": "none"})
    assert said.endswith("other initial parameters, other dynamics; not ruled out: noise, lost capacity.")
    del found["noise"], found["lost capacity"]
    assert RIVALS.answer(found) == (
        "The auxiliary tasks help; ruled out: anything but what labels say, other initial parameters, other dynamics; "
        "not tried: noise, lost capacity."
    )
    assert RIVALS.answer(found | {"auxiliary tasks against none": "undecided"}).startswith(
        "There is no gain to explain"
    )


def test_extra_data_answers_for_the_arms_that_are_there() -> None:
    assert EXTRA_DATA.answer is not None
    assert EXTRA_DATA.answer({"data and sharing": "gain", "sharing alone": "gain"}) == (
        "The gain comes from sharing alone."
    )
    assert "undecided" in EXTRA_DATA.answer({"data and sharing": "gain", "sharing alone": "undecided"})
    assert EXTRA_DATA.answer({"sharing alone": "gain"}) == "Whether training with {others} helps is undecided."
