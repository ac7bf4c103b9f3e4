"""Charts for the page, drawn there by plotly.js."""

from bench.report.charts.web.figures import figures, legend

__all__ = ["figures", "legend"]
