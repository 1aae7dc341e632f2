"""Real series with what people said about them, read from where the data sets lie."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Longer ones take some peers minutes each.
POINTS_MAX = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """
    One real series.

    Attributes:
        name: Its file's.
        values: Shape (n,), without missing values.
        changes: Indices of first points after a change.
    """

    name: str
    values: NDArray[np.float64]
    changes: tuple[int, ...]


def performance_histories(folder: Path) -> list[Labelled]:
    """Return 25 benchmark histories of a database: five with one regression each, twenty with none (CC-BY-4.0)."""
    histories = []
    with (folder / "metadata" / "dataset_details.csv").open() as details:
        for row in csv.DictReader(details, delimiter=";"):
            with (folder / "data" / row["Dataset"]).open() as file:
                values = np.array([float(line["Measurement"]) for line in csv.DictReader(file)])
            # Their index starts at 1 and names the last point before: that is ours of the first point after.
            change = int(row["Change Point"])
            histories.append(Labelled(name=row["Dataset"], values=values, changes=(change,) if change else ()))
    return histories


def telemetry(folder: Path) -> list[Labelled]:
    """
    Return production telemetry with anomalous stretches marked (MIT), those of at most POINTS_MAX points.

    A stretch's first point, and the first after it, count as changes. Most stretches are spikes of a few points, which
    no detector of lasting changes should name: only false alarms can be read from this set, not recall.
    """
    series = []
    for path in sorted(folder.glob("data/*/*.csv")):
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if row["Value"]]
        if len(rows) > POINTS_MAX:
            continue
        labels = np.array([0, *(int(row["Label"]) for row in rows), 0])
        edges = np.flatnonzero(np.diff(labels))
        values = np.array([float(row["Value"]) for row in rows])
        series.append(Labelled(name=path.stem, values=values, changes=tuple(int(edge) for edge in edges)))
    return series
