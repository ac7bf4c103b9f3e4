"""What stands in a row of the leaderboard beside the figures of `METRICS`: one declaration, which tables and pages show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardColumn:
    """A column of the frame that `bench.analysis.leaderboard.leaderboard` makes. One without a heading is never shown."""

    name: str
    heading: str = ""
    about: str = ""
    digits: int | None = None  # behind the point; none: words
    short: str = ""  # heading where there is little room, if another
    lower_is_better: bool | None = None  # none: nobody ranks by it

    @property
    def narrow(self) -> str:
        return self.short or self.heading


_COLUMNS = (
    BoardColumn("column", "data", "data set and imbalance factor"),
    BoardColumn("rank", "rank", "by mean balanced accuracy within its data column; 1 is the best", 0),
    BoardColumn(
        "average_rank", "average rank", "over all data columns of the run; only of methods that all of them have", 2,
        short="avg. rank", lower_is_better=True,
    ),
    BoardColumn(
        "rank_interval", "95 % of ranks", "where the method may stand in its data column, by the spread and n of the figures"
    ),
    BoardColumn("chance_best", "chance best (%)", "that no other method of the data column is better", 0, short="chance best"),
    BoardColumn("tied"),
    BoardColumn("untested"),
    BoardColumn("n", "n", "finished trials behind each figure", 0),
    BoardColumn("failed", "failed", "trials that did not finish; never averaged", 0),
    BoardColumn("collapsed", "collapsed", "finished trials that predict hardly more than one class; averaged all the same", 0),
    BoardColumn("gpu_hours", "GPU hours", "of all trials of the row", 2),
    BoardColumn("published", "published accuracy (%)", "as the paper prints it", 2, short="published"),
    BoardColumn("difference", "measured − published", "points of accuracy", 2, short="difference"),
    BoardColumn("verdict", "verdict", "measured beside published; of another budget, it is no reproduction"),
    BoardColumn("paper", "paper", "where the published figure stands"),
    BoardColumn(
        "relative_accuracy", "relative accuracy (%)", "accuracy over that of plain cross-entropy on as many balanced images", 2,
        short="rel. acc.", lower_is_better=False,
    ),
    BoardColumn("reference", "reference", "the trials that relative accuracy is relative to"),
    BoardColumn("run", "run", "the folder that the trials of the row are of"),
    BoardColumn(
        "devices", "measured on", "processor, threads and precision; on another kind the figures of one trial differ"
    ),
    BoardColumn("left_out"),
    BoardColumn("command", "command", "what runs the trials of the row again"),
)  # fmt: skip
BOARD_COLUMNS = {column.name: column for column in _COLUMNS}
