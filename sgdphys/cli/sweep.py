"""``sgdphys sweep``: one landscape, or one network, at many temperatures."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sgdphys.cli.options import (
    DEFAULT_PARTICLES,
    add_landscape,
    add_run,
    add_store,
    default_store,
    run_length,
)
from sgdphys.cli.values import integer, integers, numbers

__all__ = ["add_parser"]

_NETWORKS = ("digits",)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "sweep", help="many temperatures into one store", description=__doc__, allow_abbrev=False
    )
    add_landscape(parser, ", or digits for the bundled network")
    parser.add_argument("--temperatures", metavar="T,..|A:B:N", type=numbers, help="start:stop:count or a comma list")
    parser.add_argument("--seeds", metavar="S,..", type=integers, help="seeds, default 0")
    parser.add_argument("--seed", type=integers, help=argparse.SUPPRESS)  # the same, as simulate spells it
    parser.add_argument("--keep-cloud", action="store_true", help="store the positions too")
    parser.add_argument("--plot", action="store_true", help="draw the result beside the store")
    add_run(parser)
    add_store(parser, "sweep-LANDSCAPE.zarr", resume=True)
    network = parser.add_argument_group("digits")
    network.add_argument("--lr", metavar="LR,..", type=numbers, help="learning rates, default 0.05,0.1,0.2")
    network.add_argument("--batch-size", metavar="B,..", type=integers, help="batch sizes, default 8,32,128")
    network.add_argument("--n-replicas", type=integer, help="networks in each cloud, default 256")
    network.add_argument("--device", help="torch device, cpu or cuda, default cpu")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys.cli import sweep_report
    from sgdphys.cli.corruption import naming_corrupt_chunks

    store = arguments.store or default_store("sweep", arguments.landscape, arguments.parameter)
    arguments.store = store
    found = sweep_report.finished_before(store) and not arguments.overwrite
    network = arguments.landscape.strip() in _NETWORKS
    result = _sweep_network(arguments) if network else _sweep_landscape(arguments)
    with naming_corrupt_chunks(store):
        (sweep_report.print_network_sweep if network else sweep_report.print_landscape_sweep)(result)
    print(f"store: {store}" + (" (complete before, nothing was computed; --overwrite replaces it)" if found else ""))
    if arguments.plot:
        from sgdphys import plots

        picture = f"{store.rstrip('/').removesuffix('.zarr')}.png"
        plots.save_figure(plots.draw_dataset(result), picture)
        print(f"picture: {picture}")
    return 0


def _seeds(arguments: argparse.Namespace) -> list[int]:
    if arguments.seed is not None and arguments.seeds is not None:
        raise ValueError("give --seed or --seeds, not both")
    given: list[int] | None = arguments.seeds if arguments.seed is None else arguments.seed
    return [0] if given is None else given


def _sweep_landscape(arguments: argparse.Namespace) -> Any:
    from sgdphys.cli.landscapes import landscape_of
    from sgdphys.cli.starts import choose_start
    from sgdphys.sweeps import sweep

    for flag in ("lr", "batch_size", "n_replicas", "device"):
        if getattr(arguments, flag) is not None:
            raise ValueError(f"--{flag.replace('_', '-')} belongs to the sweep of a network (digits), not to a formula")
    if arguments.temperatures is None:
        raise ValueError("give --temperatures, for example --temperatures 0.05:0.4:8")
    landscape = landscape_of(arguments)
    start = choose_start(landscape, arguments.start)
    frames = {} if arguments.save_at is None else {"save_at": arguments.save_at}
    result = sweep(
        landscape,
        temperatures=arguments.temperatures,
        seeds=_seeds(arguments),
        dt=arguments.dt,
        n_particles=DEFAULT_PARTICLES if arguments.n_particles is None else arguments.n_particles,
        start=start.value,
        keep="cloud" if arguments.keep_cloud else "summary",
        store=arguments.store,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        threads=arguments.threads,
        progress=False if arguments.no_progress else None,
        **run_length(arguments),
        **frames,
    )
    print(f"{start.line}; D = 1; dt = {json.loads(result.attrs['configuration'])['dt']:g}")
    return result


def _sweep_network(arguments: argparse.Namespace) -> Any:
    from sgdphys.sweeps import sweep_digits

    for flag in ("temperatures", "dt", "n_steps", "start", "parameter", "keep_cloud"):
        if getattr(arguments, flag):
            name = flag.replace("_", "-")
            raise ValueError(f"--{name} belongs to the sweep of a formula; digits takes --lr, --batch-size and --t1")
    names = {
        "n_replicas": "n_replicas",
        "n_particles": "n_particles",
        "t1": "t1",
        "save_at": "n_frames",
        "device": "device",
    }
    given = {keyword: getattr(arguments, flag) for flag, keyword in names.items()}
    return sweep_digits(
        lrs=(0.05, 0.1, 0.2) if arguments.lr is None else arguments.lr,
        batch_sizes=(8, 32, 128) if arguments.batch_size is None else arguments.batch_size,
        seeds=_seeds(arguments),
        store=arguments.store,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        threads=arguments.threads,
        progress=False if arguments.no_progress else None,
        **{name: value for name, value in given.items() if value is not None},
    )
