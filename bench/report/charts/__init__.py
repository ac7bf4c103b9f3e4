"""Charts are declared once and drawn twice: by matplotlib on paper, by plotly.js in the report. No torch and no Ray here."""

from bench.report.charts.chart import Axis, Chart, Heat, Panel, Picture, Region, Series

__all__ = ["Axis", "Chart", "Heat", "Panel", "Picture", "Region", "Series"]
