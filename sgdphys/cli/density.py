"""``sgdphys density``: the Fokker-Planck equation of a landscape on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdphys.cli.options import add_landscape, add_store
from sgdphys.cli.values import coordinates, number, numbers, window

if TYPE_CHECKING:
    import argparse

    import xarray as xr

    from sgdphys.landscapes import BlockLandscape

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("density", help="the density on a grid", description=__doc__, allow_abbrev=False)
    add_landscape(parser)
    parser.add_argument("--temperature", type=number, required=True, help="T = lr / (2 batch_size)")
    parser.add_argument("--grid", metavar="LOW:HIGH:CELLS[,..]", type=window, help="default: holds the Gibbs state")
    parser.add_argument("--times", metavar="T,..|A:B:N", type=numbers, help="without them the stationary density")
    parser.add_argument("--start", metavar="X[,Y...]", type=coordinates, help="at time 0 (default: as in simulate)")
    add_store(parser, None)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys.cli.landscapes import landscape_of

    landscape = landscape_of(arguments)
    density = _density(landscape, arguments)
    _print_energies(density, landscape, arguments.temperature)
    if arguments.store:
        from sgdphys.store import save_dataset

        save_dataset(arguments.store, density, overwrite=arguments.overwrite)
        print(f"store: {arguments.store}")
    return 0


def _density(landscape: BlockLandscape, arguments: argparse.Namespace) -> xr.Dataset:
    import numpy as np

    from sgdphys.cli.starts import choose_start
    from sgdphys.fokker_planck import evolve, stationary

    settings = {"temperature": arguments.temperature, "grid": _grid(landscape, arguments)}
    if arguments.times is None:
        if arguments.start is not None:
            raise ValueError("--start needs --times; without times the stationary density is computed")
        return stationary(landscape, **settings)
    start = choose_start(landscape, arguments.start)
    density = evolve(landscape, start=np.broadcast_to(start.value, landscape.dim), times=arguments.times, **settings)
    print(start.line)
    return density


def _grid(landscape: BlockLandscape, arguments: argparse.Namespace) -> Any:
    import math

    from sgdphys import Grid
    from sgdphys.cli.starts import choose_start
    from sgdphys.sweeps import gibbs_grid

    if arguments.grid is not None:
        return Grid(arguments.grid)
    if not (math.isfinite(arguments.temperature) and arguments.temperature > 0):
        raise ValueError(f"temperature must be positive and finite on a grid, got {arguments.temperature}")
    cells = {1: 400, 2: 120}.get(landscape.dim)
    start = choose_start(landscape, arguments.start).value
    grid = gibbs_grid(landscape, arguments.temperature, start=start, cells=cells)
    if grid is None:
        raise ValueError("no grid was found on which this landscape rises on all sides; give --grid low:high:cells")
    return grid


def _print_energies(density: xr.Dataset, landscape: BlockLandscape, temperature: float) -> None:
    from sgdphys.analysis import free_energy
    from sgdphys.cli.tables import print_table

    energies = free_energy(density, landscape, temperature=temperature)
    names = {"entropy": "entropy", "mean_potential": "E[f]", "free_energy": "F", "relative_entropy": "KL"}
    rows = [
        [f"{float(energies['time'][k]):g}", *(f"{float(energies[name][k]):.6g}" for name in names)]
        for k in range(energies.sizes["time"])
    ]
    print_table(["time", *names.values()], rows)
