"""One progress bar for every verb, with rate and remaining time."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(description: str, total: int, unit: str, *, shown: bool | None, initial: int = 0) -> Any:
    """Return a progress bar, to be used in a ``with`` block.

    Parameters
    ----------
    description
        The verb.
    total, initial
        Amount of work, and how much of it was done before.
    unit
        What is counted.
    shown
        True or False; None shows the bar in a terminal, once the work has taken more than a second.

    Returns
    -------
    Any
        An object with ``update(n)`` and ``set_postfix_str``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without widgets gets the plain bar, which is good enough
        from tqdm.auto import tqdm
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}",
        unit_scale=True,
        disable=None if shown is None else not shown,
        delay=0 if shown else 1,
    )
