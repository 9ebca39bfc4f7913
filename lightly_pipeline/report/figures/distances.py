"""How near frames have their neighbours: histograms of distances with their figures."""

from lightly_pipeline.report.figures.chart import BarChart, Bars, Role, number
from lightly_pipeline.report.numbers import Distances


def distances_chart(distances: Distances) -> BarChart:
    """Returns counts by distance; the axis is logarithmic, for a few frames may be far away."""
    role: Role = "choice" if "chosen" in distances.name else "pool"
    figures = ", ".join(f"{name} {number(value)}" for name, value in distances.metrics.items())
    if distances.n_measured is not None:
        figures += f"; of {distances.n_measured:,} frames, evenly spaced"
    return BarChart(
        title=f"Distance {distances.name}",
        description=f"Distance {distances.name}: {figures}." if figures else distances.name,
        x_label="distance",
        y_label="frames",
        edges=distances.edges.tolist(),
        labels=(),
        bars=(Bars("frames", role, distances.counts.tolist()),),
        log_y=True,
    )
