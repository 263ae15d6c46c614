"""What ``sgdphys density`` prints: energies, the stationary state, times of passage, relaxation rates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from sgdphys.cli.tables import print_table, with_error

if TYPE_CHECKING:
    import argparse

    import xarray as xr

    from sgdphys.cli.density_settings import Settings

__all__ = ["energies_of", "passage_lines", "print_energies", "print_rates", "stationary_lines"]

_NOTHING = 1e-12  # what a table shows as 0
_CLOSED = 1e-6  # of the loss, which may change by so little around a periodic axis whose length was rounded
_ROUNDING = 1e-9  # of T p over a cell, below which a current is none


def energies_of(density: xr.Dataset, settings: Settings) -> list[list[str]]:
    """Return a row for each time: H, E[f], F, KL, mass, entropy production per time.

    F = E[Phi] - T H with Phi = f where the loss is the potential for sure, and with -T log p of the stationary density
    otherwise. With absorbing walls all of them are of what is left, and F and KL stand only beside a known Phi.

    Parameters
    ----------
    density
        From ``evolve`` or ``stationary``.
    settings
        What it was computed for.

    Returns
    -------
    list
        Cells of the table, as text.
    """
    left = density.assign(density=density["density"] / density["mass"])
    energies = _free_energy(left, settings)
    loss = np.asarray(settings.landscape.potential(settings.grid.points())) * settings.grid.cell_volume
    unknown = np.full(density.sizes["time"], np.nan)
    columns = [
        energies["entropy"].values,
        left["density"].values.reshape(len(unknown), -1) @ loss,
        *(energies[name].values if name in energies else unknown for name in ("free_energy", "relative_entropy")),
        density["mass"].values,
        density["entropy_production_rate"].values,
    ]
    still = json.loads(density.attrs["configuration"])["verb"] == "stationary"
    times = ["stationary"] if still else [f"{float(time):g}" for time in density["time"].values]
    return [[time, *map(_number, row)] for time, row in zip(times, zip(*columns, strict=True), strict=True)]


def _number(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{0.0 if abs(value) < _NOTHING else float(value):.6g}"


def _free_energy(density: xr.Dataset, settings: Settings) -> xr.Dataset:
    from sgdphys.analysis import entropy, free_energy
    from sgdphys.fokker_planck import stationary

    if settings.plain:
        return free_energy(density, settings.landscape, temperature=settings.temperature)
    if settings.absorbs:
        return entropy(density)
    known = json.loads(density.attrs["configuration"])["verb"] == "stationary"
    potential = density if known else stationary(**settings.problem)
    return free_energy(density, potential, temperature=settings.temperature)


def print_energies(rows: list[list[str]], settings: Settings) -> None:
    """Print the table of energies, if there is one, and, where Phi is not the loss, what F is."""
    if not rows:
        return
    energy = "E[H]" if hasattr(settings.landscape, "friction") else "E[f]"
    print_table(["time", "entropy", energy, "F", "KL", "mass", "entropy production"], rows)
    if settings.absorbs:
        print("with absorbing walls: entropy, energies and KL of what is left")
    if not settings.plain and not settings.absorbs:
        print("F = E[Phi] - T H with Phi = -T log p of the stationary density")


def stationary_lines(density: xr.Dataset, settings: Settings) -> list[str]:
    """Return how the stationary state was found, its current, and how far its potential is from the loss.

    Parameters
    ----------
    density
        From ``stationary``.
    settings
        What it was computed for.

    Returns
    -------
    list
        Lines to print.
    """
    configuration = json.loads(density.attrs["configuration"])
    lines = [f"stationary by method {configuration['method']}, residual {configuration['residual']:.2g}"]
    current = float(np.linalg.norm(density["current"].values, axis=-1).max())
    width = max(settings.grid.spacing)
    flows = current > _ROUNDING * settings.temperature * float(density["density"].max()) / width
    lines.append(f"current: at most {current:.5g} loss/x^{settings.grid.dim + 1}" if flows else "current: none")
    return [*lines, _distance_line(density, settings)]


def _distance_line(density: xr.Dataset, settings: Settings) -> str:
    from sgdphys.analysis import potential_distance

    if _jumps(settings):
        return "potential against loss: not to be compared, around a periodic axis the loss does not close"
    try:
        with np.errstate(all="ignore"):  # cells where p is 0
            found = potential_distance(density, settings.landscape, settings.temperature, noise=settings.noise)
    except ValueError as error:
        return f"potential against loss: not to be compared, {error}"
    if not float(found["noise_scale"][-1]) > 0:
        return "potential against loss: not to be compared, on average the potential falls where the loss rises"
    scale, distance = float(found["noise_scale"][-1]), float(found["potential_distance"][-1])
    expected = (
        f" (mean diffusion {float(found['expected_noise_scale'][-1]):.5g})" if "expected_noise_scale" in found else ""
    )
    return (
        f"potential -T log p against the loss: closest to f/c with c = {with_error(scale)}{expected}, "
        f"root mean square of what is left {distance:.3g} T"
    )


def _jumps(settings: Settings) -> bool:
    """Return whether the loss differs between both ends of a periodic axis, as that of a force around it does."""
    points = settings.grid.points()
    loss = np.asarray(settings.landscape.potential(points))
    for axis, (low, high, _) in enumerate(settings.grid.axes):
        around = points.copy()
        around[:, axis] += high - low
        change = np.abs(np.asarray(settings.landscape.potential(around)) - loss).max()
        if settings.grid.is_periodic(axis) and change > _CLOSED * max(float(np.ptp(loss)), float(np.abs(loss).max())):
            return True
    return False


def passage_lines(settings: Settings, arguments: argparse.Namespace) -> list[str]:
    """Return the mean time of first passage, and with a source which of both is entered first and how often.

    Parameters
    ----------
    settings
        Landscape, noise, temperature, grid and start.
    arguments
        With ``target`` and ``source``.

    Returns
    -------
    list
        Lines to print.
    """
    from sgdphys.fokker_planck import mean_first_passage_time, splitting_probability

    start, target, source = settings.start_point, arguments.target, arguments.source
    goal = target or "an absorbing wall"
    time = float(mean_first_passage_time(**settings.problem, start=start, target=target))
    walls = " or an absorbing wall" * bool(target and settings.absorbs)
    lines = [f"mean time of first passage to {goal}{walls}: {time:.6g} x^2/loss"]
    regions = [region for region in (source, target) if region is not None]
    if len(regions) == 2 or settings.absorbs:
        shares = splitting_probability(**settings.problem, start=start, targets=regions)
        split = ", ".join(
            f"{name} {float(value):.6g}" for name, value in zip(shares["exit"].values, shares.values, strict=True)
        )
        lines.append(f"first to be reached: {split}")
    return lines + (_reaction_lines(settings, source, target) if source is not None else [])


def _reaction_lines(settings: Settings, source: str, target: str) -> list[str]:
    from sgdphys.fokker_planck import committor

    found = committor(**settings.problem, source=source, target=target)
    if "reaction_rate" not in found:
        return []
    there, back, flux = (float(found[name]) for name in ("reaction_rate", "reverse_reaction_rate", "reactive_flux"))
    return [f"from {source} to {target}: rate {there:.6g} loss/x^2, back {back:.6g}, {flux:.6g} transitions per time"]


def print_rates(spectrum: xr.Dataset | None) -> None:
    """Print a line for each mode: rate, frequency and time of decay; nothing without a spectrum."""
    if spectrum is None:
        return
    rates, turning = (np.asarray(spectrum[name].values) for name in ("relaxation_rate", "relaxation_frequency"))
    rows: list[list[str]] = []
    for mode, (rate, frequency) in enumerate(zip(rates, turning, strict=True)):
        decay = f"{1 / rate:.6g}" if rate > 0 else "-"
        rows.append([str(mode), f"{rate:.6g}", f"{frequency:.6g}", decay])
    print_table(["mode", "rate\nloss/x^2", "frequency\nloss/x^2", "time\nx^2/loss"], rows)
