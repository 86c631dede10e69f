"""What may be claimed: the conditions of the word "best", and for each that fails the command that meets it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtlrun.compare.analysis.inference import Inference
from mtlrun.compare.analysis.questions import FIXED_WEIGHTS, WEIGHTS, is_fixed, less, weights_tried
from mtlrun.compare.collect.choice import Trial
from mtlrun.compare.collect.folders import Collection, RunRecord
from mtlrun.compare.collect.settings import NOT_A_SETTING, ONLY, SPLIT, TRAIN_ROWS, Setting, in_order, number
from mtlrun.compare.collect.settings import text as text_of
from mtlrun.compare.collect.shell_commands import (
    compare_command,
    is_confirmation,
    origin,
    quoted,
    with_seeds,
    with_values,
    without_sweeps,
)
from mtlrun.compare.records import SINGLE_TASK, Finding, Row
from mtlrun.compose.plans import reading_of, tune_of
from mtlrun.util.errors import listing

RATES = ("lr.base", "lr.trunk", "lr.heads", "loss.lr")
BUDGET = ("trainer.epochs", "trainer.max_steps", "trainer.batch_size")
UNEQUAL = 1.5  # from this ratio of steps on they are worth a word
OF_ONE_TASK = (*NOT_A_SETTING, SPLIT, "data.path", "trainer.select")  # in which single-task nets may differ


@dataclass(frozen=True)
class Asked:
    """Options of the command line. tune: keys of --tune; tuned: these, or those that were tuned before --confirm."""

    tune: Sequence[str]
    tuned: Sequence[str]
    by: Sequence[str]
    split: str
    margin: float
    rows: bool

    @property
    def tune_words(self) -> list[str]:
        """--tune as it was typed."""
        return ["--tune", ",".join(self.tune)] if self.tune else []

    def is_tuned(self, key: str) -> bool:
        """Whether --tune chooses, or chose, the value of a key."""
        return any(key == own or key.startswith(f"{own}.") for own in self.tuned)


def conditions(
    collection: Collection,
    settings: Sequence[Setting],
    rows: Sequence[Row],
    reference: int,
    leader: int | None,
    needed: int,
    asked: Asked,
    trivial: bool,
    inference: Inference,
) -> list[Finding]:
    """Findings about the comparison as a whole: of kind "missing" what keeps the word best from being printed.

    `rows` are those of `settings`, in the same order; `needed`: seeds from which on anything can be significant;
    `trivial`: whether there are figures of the trivial predictor.
    """
    return [
        *_unfinished(collection),
        *_seeds(collection, rows, reference, needed, asked),
        *_baselines(collection, settings, rows),
        *_grids(collection, settings, leader, asked),
        *_rates_as_rows(collection, settings, rows, leader, asked),
        *_trials(collection, settings, rows, leader, asked),
        *_budget(collection, settings, rows, asked),
        *_one_setting(collection, settings, rows, asked),
        *_same(collection),
        *_chosen(collection, settings, asked, trivial),
        *_leader(collection, settings, rows, leader, needed, asked, inference),
    ]


# ---------------------------------------------------------------- runs and seeds


def _unfinished(collection: Collection) -> Iterator[Finding]:
    failed = [run for run in collection.runs if run.status == "failed"]
    if failed:
        first = f"{failed[0].name}: {failed[0].error or 'see its run.log'}"
        yield Finding("warning", "failed runs", f"{len(failed)} of {len(collection.runs)} runs failed ({first})")
    left = [run for run in collection.runs if run.status == "unfinished"]
    for folder in dict.fromkeys(run.sweep or run.folder for run in left):
        own = sum((run.sweep or run.folder) == folder for run in left)
        text = f"{own} run{'s are' if own > 1 else ' is'} not finished in {folder}"
        yield Finding("missing", "unfinished runs", text, f"mtlrun resume {quoted(folder)}")


def _seeds(collection: Collection, rows: Sequence[Row], reference: int, needed: int, asked: Asked) -> Iterator[Finding]:
    """Enough seeds, and the same of every row."""
    whole = [row for row in rows if row.figures]
    fewest, used = min(len(row.seeds) for row in whole), sorted({seed for row in whole for seed in row.seeds})
    if fewest < needed:
        few, start = [row for row in whole if len(row.seeds) < needed], max(used) + 1
        text = f"{fewest} seed{'s'[: fewest > 1]}; no row can be significant below {needed}"
        if len(few) < len(whole):  # what they lack, others have: the commands follow
            text = f"{listing([row.label for row in few], 4)}: {text}"
            yield Finding("missing", "seeds", text)
        else:
            yield _further(collection, asked, "seeds", text, range(start, start + needed - fewest))
    for row in whole:
        absent = [seed for seed in used if seed not in row.seeds]
        own = [run for run in collection.runs if str(run.folder) in row.runs]
        if row.seeds and not set(row.seeds) & set(rows[reference].seeds):
            seeds = rows[reference].seeds
            text = (
                f"{row.label} has no seed in common with {rows[reference].label} ({listing(row.seeds)} and "
                f"{listing(seeds)}): its interval is a bootstrap of whole runs, and nothing is decided"
            )
            yield Finding("missing", "not paired", text, with_seeds(origin(own[-1]), seeds))
        elif absent:
            text = f"{row.label}: no completed run with seed {listing(absent)}, which other rows have"
            yield Finding("missing", "equal seeds", text, with_seeds(origin(own[-1]), absent))


def _further(collection: Collection, asked: Asked, condition: str, text: str, seeds: Iterable[int]) -> Finding:
    """What further seeds may mend, the command that trains them, and what is to be compared afterwards."""
    command = with_seeds(_largest(collection), seeds)
    if command is not None:
        both = compare_command(collection.folders, "B", *asked.tune_words)
        text += f"; then compare both, B the folder that the command prints: {both}"
    return Finding("missing", condition, text, command)


def _largest(collection: Collection) -> Path:
    """The sweep that most runs belong to, or the first run."""
    counted = Counter(origin(run) for run in collection.runs)
    return counted.most_common(1)[0][0]


# ---------------------------------------------------------------- what stands beside


def _baselines(collection: Collection, settings: Sequence[Setting], rows: Sequence[Row]) -> Iterator[Finding]:
    completed = [s for s, row in zip(settings, rows, strict=True) if row.figures]
    tasks = set().union(*(row.figures for row in rows))
    lone = [s for s, row in zip(settings, rows, strict=True) if s.kind == "alone" and set(row.figures) == tasks]
    usual = next((s.words.get("model.hidden") for s in completed if s.kind == "method"), None)
    fixed = weights_tried(completed)
    there = {
        "gradient boosting": any(s.kind == "boosting" for s in completed),
        "single-task nets": any(not _narrow(s, usual) for s in lone),
        "width-matched single-task nets": any(_narrow(s, usual) for s in lone),
        "the plain sum": any(s.kind == "method" and s.words.get("loss") == "sum" for s in completed),
        f"fixed weights ({fixed} of {FIXED_WEIGHTS} settings)" if fixed else "fixed weights": fixed >= FIXED_WEIGHTS,
    }
    absent = [name for name, found in there.items() if not found]
    if absent:
        seeds = sorted({seed for row in rows for seed in row.seeds})
        command = _baselines_of(collection, seeds)
        yield Finding("missing", "baselines", f"not there to be compared with: {listing(absent)}", command)


def _baselines_of(collection: Collection, seeds: Iterable[int]) -> str | None:
    """The baselines on the tasks of these runs."""
    tasks = {task for run in collection.runs for task in run.tasks}
    counted = Counter(origin(run) for run in collection.runs if set(run.tasks) == tasks)
    place = counted.most_common(1)[0][0] if counted else _largest(collection)
    return without_sweeps(place, "experiment=baselines", seeds, () if counted else (ONLY,))


def _nets(settings: Sequence[Setting], rows: Sequence[Row]) -> list[Setting]:
    """The rows of networks that have figures."""
    return [s for s, row in zip(settings, rows, strict=True) if s.kind != "boosting" and row.figures]


def _narrow(setting: Setting, usual: str | None) -> bool:
    """Whether single-task nets are smaller than the shared one, by their arm's name or their layers."""
    if setting.arm is not None and "width" in setting.arm:
        return True
    own = {run.settings.get("model.hidden") and tuple(run.settings["model.hidden"]) for run in setting.members}
    sizes = [number(part) for part in (usual or "").strip("[]").split(",")]
    return bool(own) and all(
        layers and len(layers) == len(sizes) and all(a < (b or 0) for a, b in zip(layers, sizes, strict=True))
        for layers in own
    )


def _grids(collection: Collection, settings: Sequence[Setting], leader: int | None, asked: Asked) -> Iterator[Finding]:
    """A grid of weights is one method, its weights to be chosen on val, and not as many methods."""
    grids: dict[tuple[str | None, str], list[Setting]] = {}
    for setting in settings:
        arm = setting.arm
        keys = tune_of([arm]).get(arm, ()) if arm is not None else ()
        if not keys and is_fixed(setting):
            keys = ("loss.weights",)
        own = [key for key in setting.values if key.startswith(keys)] if keys else []
        if own and not any(asked.is_tuned(key) for key in own):
            grids.setdefault((arm, ",".join(keys)), []).append(setting)
    for (named, chosen), members in grids.items():
        if len(members) > 1:
            text = (
                f"{named or 'loss=fixed'} is a grid of one setting and stands here as {len(members)}: choose "
                f"{chosen} on val, which leaves fewer rows to be told apart"
            )
            command = compare_command(collection.folders, "--tune", ",".join([*asked.tune, chosen]))
            yield Finding("warning", "a grid as rows", text, command)
            if leader is not None and any(s is settings[leader] for s in members):
                text = f"unequal trials: {settings[leader].label} leads as one of {len(members)}, which test chose"
                yield Finding("missing", "equal trials", text, command)


def _rates_as_rows(
    collection: Collection, settings: Sequence[Setting], rows: Sequence[Row], leader: int | None, asked: Asked
) -> Iterator[Finding]:
    """Several rates of one method as rows of their own: the best of them would be chosen by looking at test."""
    nets = _nets(settings, rows)
    keys = [k for s in nets for k, v in s.values.items() if k.startswith(RATES) and number(v) is not None]
    keys = in_order(dict.fromkeys(key for key in keys if not asked.is_tuned(key)))
    groups: dict[Any, list[Setting]] = {}
    for setting in nets:
        rest = tuple(sorted((k, v) for k, v in setting.words.items() if k not in keys))
        groups.setdefault((setting.kind, rest), []).append(setting)
    grids = [own for own in groups.values() if any(len({s.words.get(k) for s in own}) > 1 for k in keys)]
    if not grids:
        return
    named, command = listing(keys), compare_command(collection.folders, "--tune", ",".join([*asked.tune, *keys]))
    most, fewest = max(grids, key=len), min(groups.values(), key=len)
    found = False
    if len(fewest) < len(most):
        text = (
            f"unequal trials: {len(most)} rows differ from {most[0].label} in {named} alone, and "
            f"{'none' if len(fewest) == 1 else len(fewest)} from {fewest[0].label}"
        )
        yield Finding("missing", "equal trials", text, command)
        found = True
    lead = None if leader is None else settings[leader]
    for key in keys:
        own = next(([s.words.get(key, "") for s in grid] for grid in grids if any(s is lead for s in grid)), [])
        values = sorted({x for v in own if (x := number(v)) is not None})
        if lead is not None and len(values) > 1 and number(lead.words.get(key, "")) in (values[0], values[-1]):
            end = "lowest" if number(lead.words[key]) == values[0] else "highest"
            text = f"{lead.label} leads with the {end} {key} that stands here, which test chose"
            yield Finding("missing", "rate at the edge", text, command)
            found = True
    if not found:
        text = f"values of {named} stand as rows of their own, of which test would choose"
        yield Finding("missing", "rates as rows", text, command)


def _trials(
    collection: Collection, settings: Sequence[Setting], rows: Sequence[Row], leader: int | None, asked: Asked
) -> Iterator[Finding]:
    """Equal trials and grids, and no choice at the edge of its grid."""
    nets = _nets(settings, rows)
    if not any(key.split(".")[0] == "lr" for key in asked.tuned):
        rates = {s.words.get("lr.base") for s in nets}
        base = number(next(iter(rates)) or "") if len(rates) == 1 else None
        if base:
            values = ",".join(f"{base * factor:.3g}" for factor in (0.3, 1, 3))
            text = (
                "one learning rate for all settings: at rates of their own they may stand in another order; "
                f"afterwards compare with --tune {','.join([*asked.tuned, 'lr.base'])}"
            )
            yield Finding("warning", "rates not tuned", text, with_values(_largest(collection), {"lr.base": values}))
    if not asked.tuned:
        return
    counts = {s.label: len({_besides_weights(s, trial) for trial in s.tries}) for s in nets}
    if len(set(counts.values())) > 1:
        few = min(counts, key=lambda label: counts[label])
        many = max(counts, key=lambda label: counts[label])
        text = f"unequal trials: {counts[many]} of {many}, {counts[few]} of {few}"
        yield Finding("missing", "equal trials", text, _grid_command(collection, nets))
    else:
        for key in dict.fromkeys(k for s in nets for trial in s.tries for k, _ in trial):
            grids = {s.label: grid for s in nets if (grid := _grid(s, key))}
            if len(set(map(tuple, grids.values()))) > 1:
                shown = "; ".join(f"{label}: {listing(grid)}" for label, grid in [*grids.items()][:3])
                text = f"unequal grids of {key}: {shown}"
                yield Finding("missing", "equal grids", text, _grid_command(collection, nets))
    for setting in nets:
        if len(setting.tries) > counts[setting.label]:  # a sweep of weights is a baseline of its own, unless it leads
            others = [s for s in nets if not is_fixed(s)]
            have = "1 row has" if len(others) == 1 else f"{len(others)} rows have"
            text = (
                f"{setting.label} chose among {len(setting.tries)} settings; {have} nothing of {WEIGHTS[:-1]} to choose"
            )
            leads = leader is not None and settings[leader] is setting
            if leads and any(len(s.tries) < len(setting.tries) for s in others):
                command = _more_rates(collection, others, len(setting.tries))
                yield Finding("missing", "equal trials", f"{text}, and it leads", command)
            else:
                yield Finding("warning", "trials", text)
    edges: dict[tuple[str, str, str | None], list[str]] = {}  # key, what is said, command -> rows
    for setting in nets:
        for named, value in setting.chosen.items():
            key, _, task = named.partition(" (")
            tried = [x for v in _grid(setting, key) if (x := number(v)) is not None]
            if key.startswith(WEIGHTS) and any(s.words.get("loss") == "sum" for s in nets if s.kind == "method"):
                tried = sorted({*tried, 1.0})  # the plain sum
            at = number(value)
            if at is None or len(tried) < 2 or at not in (tried[0], tried[-1]):
                continue
            low = at == tried[0]
            step = (tried[1] / tried[0] if low else tried[-1] / tried[-2]) if tried[0] > 0 else None
            beyond = (at / step if low else at * step) if step else None
            group = key.split(".")[0]  # other options of the group may not have the key
            option = {group: setting.words[group]} if group == "loss" and group in setting.words else {}
            further = {key: f"{beyond:.3g}"} if beyond else {}
            command = None  # a grid of weights goes on with all of its arms, not with this one
            if further and not key.startswith(WEIGHTS):
                command = with_values(_largest(collection), further, option, setting.seeds)
            said = f"{key}={value} is the {'lowest' if low else 'highest'} that was tried"
            edges.setdefault((key, said, command), []).append(setting.label + (f" ({task}" if task else ""))
    for (key, said, command), labels in edges.items():
        rate = key.startswith(RATES)
        yield Finding(
            "missing" if rate else "warning",
            f"{'rate' if rate else 'value'} at the edge",
            f"{listing(labels, 4)}: {said}",
            command,
        )


def _grid(setting: Setting, key: str) -> list[str]:
    """The values of a key that were tried, in order of size."""
    own = dict.fromkeys(v for trial in setting.tries for k, v in trial if k == key)
    return sorted(own, key=lambda v: (x if (x := number(v)) is not None else 0.0, v))


def _grid_command(collection: Collection, nets: Sequence[Setting]) -> str | None:
    """The sweep again with every value that any row tried."""
    every: dict[str, None] = dict.fromkeys(k for s in nets for trial in s.tries for k, _ in trial)
    shared = [k for k in every if all(_grid(s, k) for s in nets)]
    values = {k: ",".join(dict.fromkeys(v for s in nets for v in _grid(s, k))) for k in shared}
    return with_values(_largest(collection), values) if values else None


def _besides_weights(setting: Setting, trial: Trial) -> Trial:
    """What was tried in a trial but for the weights of loss=fixed."""
    return tuple(own for own in trial if not (is_fixed(setting) and own[0].startswith(WEIGHTS)))


def _more_rates(collection: Collection, others: Sequence[Setting], count: int) -> str | None:
    """The sweep of the other strategies, each at so many rates: from a tenth of theirs to ten times that."""
    losses = [s.words["loss"] for s in others if s.kind == "method" and "loss" in s.words]
    base = next((x for s in others if (x := number(s.words.get("lr.base", "")))), None)
    if not losses or base is None:
        return None
    rates = ",".join(f"{base * 10 ** (2 * i / (count - 1) - 1):.3g}" for i in range(count))
    seeds = sorted({seed for s in others for seed in s.seeds})
    return with_values(_largest(collection), {"lr.base": rates}, {"loss": ",".join(dict.fromkeys(losses))}, seeds)


# ---------------------------------------------------------------- equal budgets


def _budget(
    collection: Collection, settings: Sequence[Setting], rows: Sequence[Row], asked: Asked
) -> Iterator[Finding]:
    """The same epochs, steps and batches for all nets. Plans whose arms are contrasts set what these take."""
    nets = _nets(settings, rows)
    if reading_of(s.arm for s in nets if s.arm is not None)[1]:
        return
    keys = [key for key in BUDGET if not asked.is_tuned(key)]
    budgets = [{tuple(text_of(run.settings.get(key)) for key in keys) for run in s.members} for s in nets]
    counted = Counter(budget for own in budgets for budget in own)
    if len(counted) > 1:
        usual = counted.most_common(1)[0][0]
        odd, other = next((s, b) for s, own in zip(nets, budgets, strict=True) for b in sorted(own) if b != usual)
        values = {key: (own, most) for key, own, most in zip(keys, other, usual, strict=True) if own != most}
        differs = listing(f"{key}={own} instead of {most}" for key, (own, most) in values.items())
        run = next(run for run in odd.members if tuple(text_of(run.settings.get(key)) for key in keys) == other)
        command = with_values(origin(run), {key: most for key, (_, most) in values.items()})
        yield Finding("missing", "equal budget", f"{odd.label} is trained with {differs}", command)
        return
    steps: list[tuple[float, str]] = []
    for setting in nets:
        by_tasks: dict[tuple[str, ...], list[int]] = {}
        for run in setting.members:
            by_tasks.setdefault(run.tasks, []).append(run.steps)
        steps += [(sum(own) / len(own), setting.label) for own in by_tasks.values()]
    (low, short), (high, long) = min(steps), max(steps)
    if 0 < UNEQUAL * low < high:
        most = str(max(run.steps for s in nets for run in s.members))
        text = (
            f"{short} takes {low:.0f} steps where {long} takes {high:.0f}: fewer rows with labels, or an earlier "
            "stop, and not what is compared, may make the difference"
        )
        longer = {"trainer.max_steps": most, "trainer.epochs": most, "trainer.patience": "null"}
        yield Finding("warning", "unequal steps", text, with_values(_largest(collection), longer))


def _one_setting(
    collection: Collection, settings: Sequence[Setting], rows: Sequence[Row], asked: Asked
) -> Iterator[Finding]:
    """A row is one setting: its seeds are runs of the same, and its single-task nets differ in their tasks alone."""
    for setting, row in zip(settings, rows, strict=True):
        if setting.mixed:
            text = (
                f"{setting.label}: its runs differ in {listing(setting.mixed, 4)}, and the first count: "
                f"{setting.doubled}"
            )
            command = compare_command(
                collection.folders, "--by", ",".join([*asked.by, *setting.mixed]), *asked.tune_words
            )
            yield Finding("missing", "a seed twice in one row", text, command)
        if setting.kind not in SINGLE_TASK or not row.figures:
            continue
        of_task = {run.tasks[0]: run for run in setting.members}
        differing = {}
        for key in in_order(dict.fromkeys(k for run in of_task.values() for k in run.settings)):
            own = key.split(".")
            if own[0] in ("tasks", ONLY) or own[-1] in of_task or key in OF_ONE_TASK or asked.is_tuned(key):
                continue
            values = {
                task: frozenset(text_of(run.settings.get(key)) for run in setting.of(task).values()) for task in of_task
            }
            if len(set(values.values())) > 1:
                differing[key] = values
        if differing:
            shown = "; ".join(
                f"{key}: {', '.join(f'{listing(sorted(own))} for {task}' for task, own in values.items())}"
                for key, values in [*differing.items()][:3]
            )
            (first, run), *_ = of_task.items()
            odd = next(t for values in differing.values() for t, own in values.items() if own != values[first])
            wanted = {key: text_of(run.settings.get(key)) for key in differing}
            text = f"{setting.label}: single-task nets differ between tasks: {shown}"
            yield Finding("missing", "unlike single-task nets", text, with_values(origin(of_task[odd]), wanted))


# ---------------------------------------------------------------- the same data, splits and code


def _same(collection: Collection) -> Iterator[Finding]:
    runs = [run for run in collection.runs if run.status == "completed"]
    yield from _one("different data", "tables with different contents (data_hash)", runs, [r.data_hash for r in runs])
    ways = [
        tuple((k, str(v)) for k, v in sorted(r.settings.items()) if k.startswith("data.split.") and k != SPLIT)
        for r in runs
    ]
    yield from _one("different splits", "splits made in different ways (data.split)", runs, ways)
    if len(set(ways)) == 1:
        follow = ["the seed" if run.split_seed == run.seed else str(run.split_seed) for run in runs]
        if len({run.split_seed for run in runs}) > 1:
            yield from _one("different splits", "different splits of one seed (data.split.seed)", runs, follow)
    versions = [tuple(run.versions.get(name) for name in ("mtlrun", "torch")) for run in runs]
    yield from _one("different versions", "different versions of mtlrun or torch", runs, versions)
    commits = [run.git["commit"] if run.git else None for run in runs]
    yield from _one("different code", "different commits of the working directory", runs, commits)
    changed = sum(bool(run.git and run.git.get("dirty")) for run in runs)
    if 0 < changed < len(runs):
        text = f"{changed} of {len(runs)} runs were made with changes that were not committed"
        yield Finding("warning", "different code", text)


def _one(condition: str, what: str, runs: Sequence[RunRecord], values: Sequence[object]) -> Iterator[Finding]:
    """A finding where `values` of the runs are not all the same; the command trains the rarest again."""
    counted = Counter(values).most_common()
    if len(counted) > 1:
        odd = [run for run, value in zip(runs, values, strict=True) if value == counted[-1][0]]
        text = f"{what}: {len(odd)} of {len(runs)} runs differ from most ({odd[0].name})"
        yield Finding("missing", condition, text, with_seeds(origin(odd[0]), sorted({run.seed for run in odd})))


# ---------------------------------------------------------------- choice and luck


def _chosen(collection: Collection, settings: Sequence[Setting], asked: Asked, trivial: bool) -> Iterator[Finding]:
    tune = asked.tune_words
    if asked.split != "test":
        text = f"figures on {asked.split}, by which checkpoints were chosen: those of test did not take part in it"
        yield Finding("missing", "test figures", text, compare_command(collection.folders, *tune))
    if not trivial:
        text = "no run has figures of the trivial predictor: whether anything was learnt is not known"
        seeds = sorted({run.seed for run in collection.runs})
        yield Finding("missing", "trivial predictor", text, with_seeds(_largest(collection), seeds))
    text = "settings were chosen on the seeds that are reported, which flatters them; fresh seeds do not"
    if asked.tune and any(len(s.tries) > 1 for s in settings):
        yield Finding("missing", "fresh seeds", text, compare_command(collection.folders, *tune, "--confirm"))
    elif any(run.choice is None for s in settings if len(s.before) > 1 for run in s.members):
        fresh = dict.fromkeys(run.sweep for run in collection.runs if run.choice is not None and run.sweep is not None)
        yield Finding("missing", "fresh seeds", text, compare_command([*fresh]))


def _leader(
    collection: Collection,
    settings: Sequence[Setting],
    rows: Sequence[Row],
    leader: int | None,
    needed: int,
    asked: Asked,
    inference: Inference,
) -> Iterator[Finding]:
    """Something leads, and is told apart from all others. What cannot be is said by its reason: equivalent, out of
    reach of any number of seeds, or open."""
    if leader is None and len({row.settings.get(TRAIN_ROWS) for row in rows}) > 1:
        text = f"rows of different {TRAIN_ROWS} have baselines of their own: nothing leads among them"
        yield Finding("missing", "a leader", text)
        return
    if leader is None:
        text = "no seeds that all settings share, or a single setting: nothing leads"
        command = _baselines_of(collection, range(8))
        yield Finding("missing", "a leader", text, command)
        return
    lead = rows[leader]
    like = [row for row in rows if row.like_leader or (row.like_leader is None and row.delta_m is not None)]
    like = [row for row in like if row is not lead]
    fewest = min(len(row.seeds) for row in rows if row.seeds)
    if not like or fewest < needed:  # below that, the seeds are what is missing
        return
    near, limited, left = [], [], []
    for row in like:
        differences = [*less(row.delta_m, lead.delta_m).values()]
        if not asked.rows and inference.equivalent(differences, asked.margin):
            near.append(row.label)
        elif inference.limited(differences):
            limited.append(row.label)
        else:
            left.append(row.label)
    told = f"{lead.label} cannot be told apart from"
    if near:
        text = f"{lead.label} is equivalent within {asked.margin:g} % to {listing(near, 4)}"
        yield Finding("missing", "a clear leader", text)
    if limited:
        text = (
            f"{told} {listing(limited, 4)}, nor could it with any number of seeds: their splits share rows, and "
            "the interval stays too wide"
        )
        yield Finding("missing", "a clear leader", text)
    if left and any(is_confirmation(origin(run)) for run in collection.runs):
        text = (
            f"{told} {listing(left, 4)}: the confirmation leaves it open, and training further ones until one "
            "pleases would undo it"
        )
        yield Finding("missing", "a clear leader", text)
    elif left:
        start = max(seed for row in rows for seed in row.seeds) + 1
        text = f"{told} {listing(left, 4)}: more seeds may do it"
        yield _further(collection, asked, "a clear leader", text, range(start, start + fewest))
