import io
import math
from dataclasses import replace
from itertools import combinations, pairwise

import comparisons
import pytest
from matplotlib.collections import LineCollection
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mtlrun.compare.records import Estimate, Share
from mtlrun.compare.report.pictures.all_pictures import figures
from mtlrun.compare.report.pictures.style import Names, style


@pytest.fixture(autouse=True)
def styled():
    with style():
        yield


@pytest.fixture(scope="module")
def rich():
    """The pictures of everything that can be shown."""
    with style():
        return figures(comparisons.rich())


def texts(figure) -> list[Text]:
    """What can be read: the title first, then the texts of the axes, their ticks, and the legend."""
    figure.draw_without_rendering()
    found = [*figure.texts, *figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())]
    low, high = (sorted(limits) for limits in (figure.axes[0].get_xlim(), figure.axes[0].get_ylim()))
    ticks = [(tick.label1, tick.get_loc(), low) for tick in figure.axes[0].xaxis.get_major_ticks()]
    ticks += [(tick.label1, tick.get_loc(), high) for tick in figure.axes[0].yaxis.get_major_ticks()]
    unseen = {id(label) for label, place, (start, end) in ticks if not start <= place <= end}
    return [text for text in dict.fromkeys(found) if text.get_text() and id(text) not in unseen]


def words(figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def whiskers(figure) -> list[list[float]]:
    collection = next(child for child in figure.axes[0].get_children() if isinstance(child, LineCollection))
    return [[float(end[0]) for end in segment] for segment in collection.get_segments()]


def marked(figure) -> list[tuple[float, float]]:
    """Places of the markers that stand alone, from the top down."""
    lines = figure.axes[0].get_lines()
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if len(line.get_xdata()) == 1]


def test_there_is_a_picture_of_everything_that_a_comparison_has(rich):
    assert set(rich) == {
        "delta_m",
        "interval_price",
        "interval_cut",
        "effects",
        "front_price_cut",
        "curve_price",
        "curve_cut",
        "weight_price",
        "weight_cut",
        "rate_trunk",
        "cosine_price_cut",
        "trend_price_data.train_rows",
        "trend_cut_data.train_rows",
        "importance_price",
        "importance_cut",
        "affinity_gain",
        "affinity_cosine",
        "affinity_distance",
        "expected",
        "cost",
    }
    assert set(figures(comparisons.minimal())) == {
        "delta_m",
        "interval_price",
        "interval_cut",
        "front_price_cut",
        "cost",
    }


def test_delta_m_is_sorted_and_drawn_where_it_is(rich):
    comparison, figure = comparisons.rich(), rich["delta_m"]
    means = sorted(row.delta_m.mean for row in comparison.rows if row.kind != "trivial")
    assert [x for x, _ in marked(figure)] == means
    heights = [y for _, y in marked(figure)]
    assert heights == sorted(heights) and figure.axes[0].yaxis_inverted()  # downwards
    assert whiskers(figure) == [pytest.approx([mean - 0.6, mean + 0.6]) for mean in means]
    assert "Δm, percent of loss=sum (← better)" in words(figure)
    low, high = figure.axes[0].get_xlim()
    assert low < means[0] - 0.6 and high > means[-1] + 0.6


def test_a_tasks_picture_has_unit_direction_baseline_and_the_trivial_figure(rich):
    price = rich["interval_price"]
    assert "rmse (dollars), test, ← lower is better" in words(price)
    assert "price (trivial: 1086)" in words(price)
    dashed = [line for line in price.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert [list(line.get_xdata()) for line in dashed] == [[600.0, 600.0]]
    assert "accuracy, test, higher is better →" in words(rich["interval_cut"])


def test_the_front_rings_what_no_other_setting_dominates():
    comparison = comparisons.rich(2)
    heads = comparison.columns
    rows = [  # errors (lower is better) and accuracies: the third is dominated by the second
        replace(
            comparisons.row(name, 0.0, heads),
            figures={"price": Estimate(x, None, None, {}), "cut": Estimate(y, None, None, {})},
        )
        for name, x, y in (("a", 1.0, 0.5), ("b", 2.0, 0.7), ("c", 3.0, 0.6), ("d", 4.0, 0.9))
    ]
    figure = figures(replace(comparison, rows=rows))["front_price_cut"]
    ring = next(line for line in figure.axes[0].get_lines() if line.get_markersize() == 11)
    assert list(zip(ring.get_xdata(), ring.get_ydata(), strict=True)) == [(1.0, 0.5), (2.0, 0.7), (4.0, 0.9)]


def test_curves_are_the_series_and_the_legend_lies_below_the_axes():
    comparison = comparisons.rich(30, 4, 12)
    figure = figures(comparison)["curve_price"]
    series = [entry for entry in comparison.series if entry.what == "curve" and entry.task == "price"]
    lines = figure.axes[0].get_lines()
    assert len(lines) == 12
    assert all(list(line.get_ydata()) == list(entry.mean) for line, entry in zip(lines, series, strict=True))
    looks = {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in lines}
    assert len(looks) == 12
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert [text.get_text().replace("\n", " ") for text in legend.get_texts()] == [entry.label for entry in series]
    assert 0 < legend.get_window_extent().y0 < legend.get_window_extent().y1 < figure.axes[0].get_tightbbox().y0
    assert figure.axes[0].bbox.height > 150, "of pixels: the axes keep their place"


def test_every_pair_of_tasks_has_a_picture_that_names_it():
    comparison = comparisons.rich()
    cosine = next(series for series in comparison.series if series.what == "cosine")
    pairs = [replace(cosine, metric=other) for other in ("cut", "color")]
    made = figures(replace(comparison, series=pairs))
    for other in ("cut", "color"):
        label = made[f"cosine_price_{other}"].get_label()
        assert label.startswith(f"Cosine of gradients: price and {other}, 1 of 5 settings")


def test_a_title_says_how_many_settings_have_a_line():
    comparison = comparisons.rich(30, 2, 12)  # 29 settings and the trivial predictor, which is among the first 12
    series = [entry for entry in comparison.series if entry.label != "trivial"]
    made = figures(replace(comparison, series=series))
    assert made["curve_price"].get_label() == "price while training, 11 of 29 settings (mean, 95 % band, 8 seeds)"
    assert "11 of 29 settings" in made["weight_cut"].get_label()
    few = comparisons.rich(5)  # 4 settings
    every = [entry for entry in few.series if entry.label != "trivial"]
    assert "settings" not in figures(replace(few, series=every))["curve_price"].get_label()
    assert "settings" not in made["trend_price_data.train_rows"].get_label()


def test_thirty_settings_look_different():
    names = Names(comparisons.rich(30).rows)
    labels = [row.label for row in comparisons.rich(30).rows]
    assert len({(names.colour(label), names.marker(label)) for label in labels}) == 30
    assert all(names.colour(a) != names.colour(b) for a, b in pairwise(labels))


def test_a_trend_over_decades_is_logarithmic_with_plain_ticks(rich):
    figure = rich["trend_price_data.train_rows"]
    assert figure.axes[0].get_xscale() == "log"
    assert {"100", "1,000", "10,000", "training rows"} <= set(words(figure))


def test_affinity_shows_every_number_with_its_interval():
    # the builder's gains, for tasks i and j: (i − j)·0.7 + 0.3, each with half an interval of 0.5
    found = words(figures(comparisons.rich(6, 3, 0))["affinity_gain"])
    shown = ["−0.40", "−1.10", "+1.00", "−0.40", "+1.70", "+1.00"]
    assert [text for text in found if "±" in text] == [f"{gain}\n±0.50" for gain in shown]
    assert {"trained with (task)", "task"} <= set(found)


def test_gates_and_stitches_are_matrices_of_readers_and_what_they_read():
    made = comparisons.rich(series=0)
    label, other = made.rows[0].label, made.rows[1].label
    shares = [
        Share(label, "level 1", *pair, comparisons.estimate(mean, 0.05), signed=False)
        for pair, mean in {
            ("cut", "shared 0"): 0.75,
            ("cut", "cut: own 0"): 0.25,
            ("price", "shared 0"): 0.4,
            ("price", "price: own 0"): 0.6,
            ("shared gate", "shared 0"): 0.5,
            ("shared gate", "cut: own 0"): 0.3,
            ("shared gate", "price: own 0"): 0.2,
        }.items()
    ]
    shares += [Share(other, "layer 2", "cut", "price", comparisons.estimate(-0.1, 0.05), signed=True)]
    shares += [Share(label, "level 1", "cut", f"shared {i}", comparisons.estimate(0.4, None), False, 3) for i in (0, 1)]
    drawn = figures(replace(made, shares=shares))
    names = {name: figure for name, figure in drawn.items() if name.startswith("shares_")}
    gates, of_one_seed, stitches = names.values()
    assert words(of_one_seed)[0].startswith("Gates, level 1, seed 3 only: ")
    assert [text for text in words(of_one_seed) if text.startswith("0.4")] == ["0.4000", "0.4000"]
    assert [text for text in words(gates) if "±" in text or text == "·"] == [
        "0.750\n±0.050",
        "0.250\n±0.050",
        "·",
        "0.400\n±0.050",
        "·",
        "0.600\n±0.050",
        "0.500\n±0.050",
        "0.300\n±0.050",
        "0.200\n±0.050",
    ]
    assert {"who reads", "experts", "shared gate", "price: own 0"} <= set(words(gates))
    assert words(gates)[0].startswith("Gates, level 1: ") and words(stitches)[0].startswith("Stitches, layer 2: ")
    assert "−0.100\n±0.050" in words(stitches) and "whose features" in words(stitches)
    first = gates.axes[0].patches[0]
    assert first.get_facecolor()[:3] == pytest.approx([0x5A / 255, 0xAE / 255, 0xE2 / 255], abs=0.01)  # the largest


def test_importance_says_what_it_leaves_out():
    comparison = comparisons.rich(series=0)
    first = comparison.importances[0]
    many = [replace(first, input=f"input_{i}", estimate=comparisons.estimate(float(i), 0.1)) for i in range(20)]
    figure = figures(replace(comparison, importances=many))["importance_price"]
    assert "What price is learnt from (15 of 20 inputs)" in words(figure)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [float(i) for i in range(19, 4, -1)]


@pytest.mark.parametrize("make", [comparisons.hostile, comparisons.with_gaps, comparisons.minimal])
def test_anything_can_be_drawn(make):
    for name, figure in figures(make()).items():
        assert name.replace("_", "").replace("-", "").replace(".", "").isalnum()
        if make is not comparisons.hostile:  # test_page writes those
            figure.savefig(io.BytesIO(), format="svg")
        assert all(math.isfinite(limit) for limit in (*figure.axes[0].get_xlim(), *figure.axes[0].get_ylim()))


def test_names_that_differ_in_case_alone_are_different_files():
    comparison = comparisons.minimal()
    heads = [replace(comparison.columns[0], task=task) for task in ("A", "a")]
    rows = [comparisons.row(row.label, 1.0, heads, 1) for row in comparison.rows]
    names = list(figures(replace(comparison, columns=heads, rows=rows)))
    assert len({name.lower() for name in names}) == len(names)
    assert sum(name.startswith("interval_") for name in names) == 2


def many():
    return comparisons.rich(12, 8, 1)


MAKERS = [comparisons.rich, comparisons.hostile, comparisons.long_names, many]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("make", MAKERS)
def test_no_text_is_cut_off_or_lies_on_another(make, every):
    """every: not the last of each kind alone, as curve_price and curve_cut are of one kind."""
    made = figures(make())
    kinds = {name.partition("_")[0]: name for name in made}
    for name in made if every else kinds.values():
        figure = made[name]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
        for text, box in boxes:
            assert min(box.x0, box.y0) >= -1, (name, text)
            assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1, (name, text)
        for (one, box), (other, beside) in combinations(boxes, 2):
            shared = Bbox.intersection(box, beside)
            assert shared is None or min(shared.width, shared.height) <= 2, (name, one, other)


def test_a_rate_of_the_whole_network_needs_no_task():
    comparison = comparisons.rich()
    rates = [replace(series, task="") for series in comparison.series if series.what == "rate"]
    figure = figures(replace(comparison, series=rates))["rate"]
    assert "Learning rate (mean, 95 % band, 8 seeds)" in words(figure)
