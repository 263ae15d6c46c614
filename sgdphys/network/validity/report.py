"""The verdict as text: a table with a line for each row, and the sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["table"]

_HEADS = ("quantity", "value", "+-", "expected", "judgement")
_SIGNS = {"=": "", "<": "< ", ">": "> "}


def table(dataset: xr.Dataset) -> str:
    """Return the verdict of ``network.validity`` as a table.

    Parameters
    ----------
    dataset
        Result of ``network.validity``.

    Returns
    -------
    str
        Quantity, value, standard error, what Langevin theory expects, judgement; below them equivalent settings of the
        same temperature and the verdict.

    Raises
    ------
    ValueError
        The Dataset is none of ``network.validity``.
    """
    if "judgement" not in dataset or "verdict" not in dataset.attrs:
        raise ValueError("a table is made of the result of network.validity(sgd)")
    lines = [list(_HEADS)] + [_cells(dataset.isel(row=number)) for number in range(dataset.sizes["row"])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    text = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    return "\n".join([*text, *_equivalents(dataset), f"verdict: {dataset.attrs['verdict']}"])


def _cells(row: xr.Dataset) -> list[str]:
    unit = str(row["row_unit"].item())
    label = str(row["row_label"].item()) + (f"  [{unit}]" if unit != "1" else "")
    expected = float(row["row_expected"])
    shown = "" if math.isnan(expected) else _SIGNS[str(row["row_relation"].item())] + f"{expected:.4g}"
    reason = str(row["row_reason"].item())
    judgement = str(row["judgement"].item()) + (f": {reason}" if reason else "")
    if math.isnan(expected) and not reason:
        judgement = ""
    value, error = (float(row[name]) for name in ("row_value", "row_value_standard_error"))
    return [label, _number(value, 4), _number(error, 2), shown, judgement]


def _number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def _aligned(cells: list[str], widths: list[int]) -> list[str]:
    return [
        text.ljust(width) if column in {0, len(cells) - 1} else text.rjust(width)
        for column, (text, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _equivalents(dataset: xr.Dataset) -> list[str]:
    sizes = dataset["batch_size"].values
    if not len(sizes):
        return []
    pairs = zip(sizes, dataset["equivalent_lr"].values, dataset["equivalent_stiffness"].values, strict=True)
    shown = ", ".join(f"{lr:.3g}/{size} ({stiffness:.2g})" for size, lr, stiffness in pairs)
    return [f"same temperature, lr/batch size (lr lambda_max): {shown}"]
