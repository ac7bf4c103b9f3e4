"""The columns of the leaderboard other than `METRICS`, declared once for tables and pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardColumn:
    """A column of the frame that `bench.analysis.leaderboard.leaderboard` makes. A column without a heading is never shown."""

    name: str
    heading: str = ""
    about: str = ""
    digits: int | None = None  # decimal places; None for a column of words
    short: str = ""  # a shorter heading for where there is little room
    lower_is_better: bool | None = None  # None for a column that nobody ranks by

    @property
    def narrow(self) -> str:
        return self.short or self.heading


_COLUMNS = (
    BoardColumn("column", "data", "data set and imbalance factor"),
    BoardColumn("rank", "rank", "rank by mean balanced accuracy within the data column; 1 is best", 0),
    BoardColumn(
        "average_rank", "average rank", "mean rank over all data columns of the run, for methods that were run on all of them", 2,
        short="avg. rank", lower_is_better=True,
    ),
    BoardColumn(
        "rank_interval",
        "rank, 95 % interval",
        "95 % interval of the method's rank in its data column, from the standard deviations and n of the figures"
    ),
    BoardColumn(
        "chance_best",
        "P(best) (%)",
        "probability that no other method of the data column is better", 0, short="P(best)"
    ),
    BoardColumn("tied"),
    BoardColumn("untested"),
    BoardColumn("n", "n", "number of finished trials that each figure is averaged over", 0),
    BoardColumn("failed", "failed", "number of trials that did not finish; they are not averaged", 0),
    BoardColumn(
        "collapsed", "collapsed", "number of finished trials that predict hardly more than one class; they are averaged too", 0,
    ),
    BoardColumn("gpu_hours", "GPU hours", "total GPU time of the row's trials", 2),
    BoardColumn("published", "published accuracy (%)", "accuracy as printed in the paper", 2, short="published"),
    BoardColumn("difference", "measured − published", "difference in points of accuracy", 2, short="difference"),
    BoardColumn(
        "verdict", "verdict", "whether the published accuracy is reproduced; not assessed where the training budgets differ",
    ),
    BoardColumn("paper", "paper", "source of the published figure"),
    BoardColumn(
        "relative_accuracy",
        "relative accuracy (%)",
        "accuracy as a share of that of plain cross-entropy on the same number of balanced images", 2,
        short="rel. acc.", lower_is_better=False,
    ),
    BoardColumn("reference", "reference", "trials used as the reference of the relative accuracy"),
    BoardColumn("run", "run", "folder of the row's trials"),
    BoardColumn(
        "devices",
        "measured on",
        "processor, threads and precision; the figures of a trial differ slightly between kinds of device"
    ),
    BoardColumn("left_out"),
    BoardColumn("command", "command", "command that runs the row's trials again"),
)  # fmt: skip
BOARD_COLUMNS = {column.name: column for column in _COLUMNS}
