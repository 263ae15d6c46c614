"""``sgdphys density``: the Fokker-Planck equation of a landscape on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgdphys.cli.density_settings import Settings, boundaries, settings_of
from sgdphys.cli.dynamics import add_noise
from sgdphys.cli.options import add_landscape, add_store
from sgdphys.cli.values import coordinates, formulas, integer, number, numbers, window

if TYPE_CHECKING:
    import argparse

    import xarray as xr

__all__ = ["add_parser"]

_EVOLVING = ("adaptive", "implicit-euler", "crank-nicolson", "exponential")


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("density", help="the density on a grid", description=__doc__, allow_abbrev=False)
    add_landscape(parser)
    _add_equation(parser)
    _add_grid(parser)
    _add_results(parser)
    add_store(parser, None)
    parser.set_defaults(run=_run)


def _add_equation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--temperature", type=number, help="T = lr / (2 batch_size)")
    parser.add_argument("--lr", type=number, help="learning rate, with --batch-size in place of --temperature")
    parser.add_argument("--batch-size", type=integer, help="samples in a minibatch")
    add_noise(parser)
    parser.add_argument(
        "--circulation", metavar="F,F", type=formulas, help='a force besides the gradient, such as "-y,x"'
    )
    parser.add_argument(
        "--friction", metavar="GAMMA", type=number, help="with inertia: the axes are all positions, then all velocities"
    )
    parser.add_argument(
        "--scheme", choices=("central", "upwind"), help="of streaming with --friction; default central, the more exact"
    )


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grid", metavar="LOW:HIGH:CELLS[,..]", type=window, help="default: holds the Gibbs state, up to two axes"
    )
    parser.add_argument(
        "--boundaries",
        metavar="WORD|LOW:HIGH[,..]",
        type=boundaries,
        help="far (default), reflecting, absorbing or periodic; for each axis, or for its low and high side",
    )
    parser.add_argument("--times", metavar="T,..|A:B:N", type=numbers, help="without them the stationary density")
    parser.add_argument(
        "--start",
        metavar="X[,Y...]",
        type=coordinates,
        help="at time 0 (default: as in simulate; where that lies in the target, the lowest minimum outside)",
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        help="of evolving: adaptive, implicit-euler, crank-nicolson or exponential; of the stationary state: auto, "
        "gibbs, elimination or factorisation",
    )
    parser.add_argument("--dt", type=number, help="time step of implicit-euler and crank-nicolson")


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--currents", action="store_true", help="keep the probability current at all times")
    parser.add_argument(
        "--target",
        metavar="REGION",
        help='mean time of first passage there, such as "x > 1"; with --friction the velocity of x is called y',
    )
    parser.add_argument("--source", metavar="REGION", help="with --target: which is entered first, and how often")
    parser.add_argument("--rates", metavar="N", type=integer, help="the N slowest relaxation rates too")
    parser.add_argument("--plot", metavar="FILE", help="picture to write, png, pdf or svg; of the rates, where given")
    parser.add_argument("--animate", metavar="FILE", help="film of the --times to write, gif or mp4")


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys.cli import density_report as report

    _check_flags(arguments)
    _check_files(arguments)
    settings = settings_of(arguments)
    _check_exits(settings, arguments)
    stays = not settings.absorbs
    density = _density(settings, arguments) if stays or arguments.times is not None else None
    spectrum = None if arguments.rates is None else _spectrum(settings, arguments)
    rows = [] if density is None else report.energies_of(density, settings)
    lines = report.stationary_lines(density, settings) if density is not None and arguments.times is None else []
    passes = arguments.target is not None or density is None
    lines += report.passage_lines(settings, arguments) if passes else []
    written = _write(density, spectrum, settings, arguments)
    if passes or arguments.times is not None:
        print(settings.start_line)
    report.print_energies(rows, settings)
    _print_lines([*lines, settings.line])
    report.print_rates(spectrum)
    _print_lines(written)
    return 0


def _check_flags(arguments: argparse.Namespace) -> None:
    if arguments.scheme is not None and arguments.friction is None:
        raise ValueError("--scheme needs --friction: it is one of streaming with inertia")
    if arguments.method in _EVOLVING and arguments.times is None:
        raise ValueError(f"--method {arguments.method} needs --times: without them the stationary density is computed")
    if arguments.source is not None and arguments.target is None:
        raise ValueError("--source needs --target: which of both is entered first")
    for flag in ("animate", "currents", "dt"):
        if getattr(arguments, flag) and arguments.times is None:
            raise ValueError(f"--{flag} needs --times")


def _check_exits(settings: Settings, arguments: argparse.Namespace) -> None:
    if arguments.times is not None:
        return
    if arguments.start is not None and arguments.target is None and not settings.absorbs:
        raise ValueError("--start needs --times or --target; without them the stationary density is computed")
    for flag in ("plot", "store", "method") if settings.absorbs and arguments.rates is None else ():
        if getattr(arguments, flag) is not None:
            raise ValueError(f"with absorbing walls nothing is stationary: --{flag} needs --times")


def _check_files(arguments: argparse.Namespace) -> None:
    """Refuse files that cannot be written before anything is computed."""
    if arguments.store is not None:
        _check_store(arguments.store, overwrite=arguments.overwrite)
    if arguments.plot is not None:
        from sgdphys.plots.figures import picture_path

        picture_path(arguments.plot)
    if arguments.animate is not None:
        from sgdphys.plots.animations import film_path

        film_path(arguments.animate)


def _check_store(path: str, *, overwrite: bool) -> None:
    from sgdphys.errors import StoreError
    from sgdphys.store import describe_store

    place = Path(path).expanduser()
    if not place.exists() and not place.is_symlink():
        return
    try:
        describe_store(path)
    except StoreError as error:
        if not overwrite:
            raise ValueError(f"{path} exists and cannot be read ({error}); choose another --store") from None
        return  # writing decides whether it may be replaced
    if not overwrite:
        raise ValueError(f"a store exists already at {path}: --overwrite replaces it, or choose another --store")


def _spectrum(settings: Settings, arguments: argparse.Namespace) -> xr.Dataset:
    from sgdphys.fokker_planck import relaxation_rates

    return relaxation_rates(**settings.problem, count=arguments.rates)


def _density(settings: Settings, arguments: argparse.Namespace) -> xr.Dataset:
    from sgdphys.fokker_planck import evolve, stationary

    method = {} if arguments.method is None else {"method": arguments.method}
    if arguments.times is None:
        return stationary(**settings.problem, **method)
    steps = {"dt": arguments.dt, "currents": arguments.currents}
    return evolve(**settings.problem, start=settings.start_point, times=arguments.times, **steps, **method)


def _write(
    density: xr.Dataset | None, spectrum: xr.Dataset | None, settings: Settings, arguments: argparse.Namespace
) -> list[str]:
    """Write what was asked for and return lines that say where it is."""
    written = []
    parts = [part for part in (density, spectrum) if part is not None]
    result: Any = parts[0] if len(parts) == 1 else None
    if len(parts) == 2:
        result = parts[0].merge(parts[1], compat="override", combine_attrs="override")
    if arguments.store is not None:
        from sgdphys.store import save_dataset

        save_dataset(arguments.store, result, overwrite=arguments.overwrite)
        written.append(f"store: {arguments.store}")
    if arguments.plot is not None:
        from sgdphys import plots

        plots.save_figure(plots.draw_dataset(result), arguments.plot)
        written.append(f"picture: {arguments.plot}")
    if arguments.animate is not None:
        from sgdphys import plots

        plots.animate(result, arguments.animate, landscape=settings.landscape)
        written.append(f"film: {arguments.animate}")
    return written


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        print(line)
