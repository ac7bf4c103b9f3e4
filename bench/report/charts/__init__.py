"""Charts are declared once and drawn twice: by matplotlib for paper, and by plotly.js in the report. Nothing here imports torch
or Ray.
"""

from bench.report.charts.chart import Axis, Chart, Heat, Panel, Picture, Region, Series

__all__ = ["Axis", "Chart", "Heat", "Panel", "Picture", "Region", "Series"]
