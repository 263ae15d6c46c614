"""``sgdphys simulate``: a cloud of particles on one landscape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdphys.cli.dynamics import add_dynamics, integrator_of, noise_of
from sgdphys.cli.options import DEFAULT_PARTICLES, add_landscape, add_run, add_store, run_length
from sgdphys.cli.values import integer, number

if TYPE_CHECKING:
    import argparse

    import xarray as xr

__all__ = ["add_parser"]

_SHOWN_FRAMES, _SHOWN_COORDINATES = 11, 3


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("simulate", help="a cloud of particles", description=__doc__, allow_abbrev=False)
    add_landscape(parser)
    parser.add_argument("--temperature", type=number, required=True, help="T = lr / (2 batch_size)")
    parser.add_argument("--seed", type=integer, default=0, help="default 0")
    parser.add_argument("--storage", choices=("float64", "float32"), default="float64", help="type of stored positions")
    add_dynamics(parser)
    add_run(parser)
    add_store(parser, None, resume=True)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys import simulate
    from sgdphys.cli.landscapes import landscape_of
    from sgdphys.cli.starts import choose_start
    from sgdphys.sweeps import suggested_time_step

    landscape, dt = landscape_of(arguments), arguments.dt
    start = choose_start(landscape, arguments.start)
    if dt is None:
        dt = suggested_time_step(landscape, arguments.temperature, start=start.value)
    cloud = simulate(
        landscape,
        noise_of(arguments, landscape.dim),
        temperature=arguments.temperature,
        dt=dt,
        integrator=integrator_of(arguments),
        n_particles=DEFAULT_PARTICLES if arguments.n_particles is None else arguments.n_particles,
        start=start.value,
        save_at=_SHOWN_FRAMES if arguments.save_at is None else arguments.save_at,
        seed=arguments.seed,
        threads=arguments.threads,
        storage=arguments.storage,
        store=arguments.store,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        progress=False if arguments.no_progress else None,
        **run_length(arguments),
    )
    print(f"{start.line}; D = {(arguments.diffusion or '1').strip()}; dt = {dt:g}")
    _print_moments(cloud)
    if arguments.store:
        print(f"store: {arguments.store}")
    return 0


def _print_moments(cloud: xr.Dataset) -> None:
    import numpy as np

    from sgdphys.cli.tables import print_table, with_error

    names = [str(name) for name in cloud["coordinate"].values[:_SHOWN_COORDINATES]]
    header = ["time", *(f"{moment} {name}" for name in names for moment in ("mean", "variance")), "diverged"]
    chosen = np.unique(np.linspace(0, cloud.sizes["time"] - 1, _SHOWN_FRAMES).round().astype(int))
    rows = []
    for frame in chosen:
        points = cloud["position"].isel(time=frame).values.astype(float)
        alive = points[np.isfinite(points).all(axis=1)]
        row = [f"{float(cloud['time'][frame]):g}"]
        for values in alive.T[:_SHOWN_COORDINATES]:
            row += _moments(values, with_error)
        rows.append([*row, f"{1 - len(alive) / len(points):.2%}"])
    print_table(header, rows)


def _moments(values: Any, with_error: Any) -> list[str]:
    if len(values) == 0:
        return ["-", "-"]
    variance = values.var()
    fourth = ((values - values.mean()) ** 4).mean()
    spread = max(fourth - variance**2, 0.0)
    return [
        with_error(values.mean(), (variance / len(values)) ** 0.5),
        with_error(variance, (spread / len(values)) ** 0.5),
    ]
