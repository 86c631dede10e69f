"""The picture of runs of model=point: their paths over contours of the sum of the losses, with the Pareto front."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mtlrun.compare.report.pictures.style import GRID, INK, LETTER, LINE, PALETTE, SOFT
from mtlrun.compare.report.toy_runs import Group, Objectives
from mtlrun.compare.report.wrapping import wrap
from mtlrun.tasks import toy_objectives

REACH = 11.0  # the picture shows −11 to 11 in both coordinates
PANEL = 2.3  # width of a panel in inches
WIDE = 4  # largest number of panels side by side
SIZES = (100, 0.4)  # contours: grid points per side, line width


def front(names: Sequence[str], scales: Sequence[float]) -> np.ndarray:
    """The Pareto front `[n, 2]` of the two objectives: the minima of their weighted sums in the lower half.

    Found by search over a grid.
    """
    x1, x2 = np.meshgrid(np.linspace(*toy_objectives.FRONT_X1, 57), np.linspace(-9, -7.5, 601), indexing="ij")
    both = (
        toy_objectives.values(np.array(toy_objectives.constants(names)), x1[..., None], x2[..., None], np) * scales
    )  # [57, 601, 2]
    # of s₁ w g₁ + s₂ (1 − w) g₂ the minimum is at x₁ = 7 (2 s₁w − 1) where s₁w + s₂(1 − w) = 1
    share = (x1[:, :1] / toy_objectives.FRONT_X1[1] + 1) / 2
    total = share * both[..., 0] / scales[0] + (1 - share) * both[..., 1] / scales[1]
    return np.stack([x1[:, 0], x2[0][total.argmin(1)]], 1)


def minimum(names: Sequence[str], scales: Sequence[float]) -> tuple[float, float]:
    """The minimum of the sum of the objectives times their factors, in the lower half.

    x1 is computed in closed form, x2 by search over a grid with steps of 0.0001.
    """
    constants = np.array(toy_objectives.constants(names))
    ends = np.array([toy_objectives.OBJECTIVES[name].e for name in names])
    x1 = float(np.average(ends, weights=scales))  # there of Σ sₜ (eₜ − x₁)²
    x2 = np.linspace(-9, -7.5, 15001)
    total = (toy_objectives.values(constants, np.full((len(x2), 1), x1), x2[:, None], np) * scales).sum(-1)
    return x1, float(x2[total.argmin()])


def picture(groups: Sequence[Group], objectives: Objectives) -> Figure:
    """A panel for each strategy and rate: the paths from all starts over contours of the sum of the losses."""
    names, scales = objectives.names, objectives.scales
    rates = list(dict.fromkeys(group.rate for group in groups))
    wide = len(rates) if len(rates) > 1 else min(WIDE, len(groups))
    high = -(-len(groups) // wide)
    starts = list(dict.fromkeys(way.start for group in groups for way in group.ways))
    title = "Ways of the point from every start, over contours of the sum of the losses"
    title += f" ({objectives.scaled})" if objectives.scaled else ""
    lines = wrap(title, int(PANEL * wide / LETTER), 5, "")[0]
    figure = Figure(figsize=(PANEL * wide, (PANEL + LINE) * high + (4 + len(lines)) * LINE), layout="compressed")
    figure.set_label(title)
    figure.suptitle("\n".join(lines), fontsize=9.5)
    axes = figure.subplots(high, wide, squeeze=False, sharex=True, sharey=True).flatten()
    side = np.linspace(-REACH, REACH, SIZES[0])
    x1, x2 = np.meshgrid(side, side)
    total = (
        toy_objectives.values(np.array(toy_objectives.constants(names)), x1[..., None], x2[..., None], np) * scales
    ).sum(-1)
    levels = np.linspace(total.min(), total.max(), 13)[1:-1]
    line = front(names, scales) if len(names) == 2 else np.empty((0, 2))
    for axis in axes[len(groups) :]:
        axis.set_visible(False)
    for i, (axis, group) in enumerate(zip(axes, groups, strict=False)):
        axis.contour(x1, x2, total, levels=levels, colors=[GRID], linewidths=SIZES[1], linestyles="solid")
        axis.plot(line[:, 0], line[:, 1], color=SOFT, linewidth=3, solid_capstyle="butt")
        for way in group.ways:
            colour = PALETTE[starts.index(way.start) % (len(PALETTE) - 1)]
            axis.plot(way.points[:, 0], way.points[:, 1], color=colour, linewidth=0.9)
            axis.plot(*way.start, "o", color=colour, markersize=3.5)
            axis.plot(*way.points[-1], "*", color=INK, markersize=6)
        axis.set_title(group.label if len(rates) == 1 else f"{group.label}, rate {group.rate:g}", fontsize=8.5)
        axis.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=(-10, 0, 10), yticks=(-10, 0, 10), aspect="equal")
        if i + wide >= len(groups):  # the last of its column
            axis.set_xlabel("x1")
            axis.tick_params(labelbottom=True)
        if i % wide == 0:
            axis.set_ylabel("x2")
    signs = [
        Line2D([], [], color=INK, marker="o", markersize=3.5, linestyle="", label="start"),
        Line2D([], [], color=INK, marker="*", markersize=6, linestyle="", label="end"),
        Line2D([], [], color=SOFT, linewidth=3, label="Pareto front"),
    ]
    figure.legend(handles=signs, loc="outside lower center", ncols=3, frameon=False)
    return figure
