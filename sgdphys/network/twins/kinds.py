"""The twins of a network by the names of their kinds."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

from sgdphys.network.twins.anharmonic import AnharmonicTwin, anharmonic_twin_of
from sgdphys.network.twins.full_space import FullTwin, full_twin_of
from sgdphys.network.twins.last_layer import LastLayerTwin, last_layer_twin_of
from sgdphys.network.twins.quadratic import Twin, twin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgdphys.network.problem import Network

__all__ = ["KINDS", "AnyTwin", "twin_of_kind"]

AnyTwin: TypeAlias = Twin | FullTwin | AnharmonicTwin | LastLayerTwin

KINDS: dict[str, Callable[..., AnyTwin]] = {
    "quadratic": twin_of,
    "full": full_twin_of,
    "anharmonic": anharmonic_twin_of,
    "last layer": last_layer_twin_of,
}


def twin_of_kind(network: Network, kind: str, settings: dict[str, Any]) -> AnyTwin:
    """Return the twin of a kind.

    Parameters
    ----------
    network
        The network.
    kind
        A name in ``KINDS``.
    settings
        Keyword arguments of the function that makes it.

    Returns
    -------
    AnyTwin
        Landscape and noise, for ``simulate(*twin, sgd=sgd, ...)``.

    Raises
    ------
    ValueError
        There is no such kind, or it has no such setting.
    """
    if kind not in list(KINDS):
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    known = list(inspect.signature(KINDS[kind]).parameters)[1:]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(f"a twin of kind {kind!r} takes {', '.join(known)}, not {', '.join(unknown)}")
    return KINDS[kind](network, **settings)
