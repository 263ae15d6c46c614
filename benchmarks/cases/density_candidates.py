"""Who computes the densities: sgdphys, fplanck, py-pde with each of its solvers, FiPy.

``prepare(problem, cells, setting)`` states the problem to a library and returns a function without arguments that
computes the density on the cells, so that the statement, with what it compiles, and the computation are timed apart.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cases.density_problems import TEMPERATURE, Problem

__all__ = ["CANDIDATES", "Candidate", "forget"]

Run = Callable[[], np.ndarray]
_LONG = 300.0  # time after which the double well has forgotten its start to 1e-5


@dataclass(frozen=True)
class Candidate:
    """One way to compute a density.

    ``prepare`` is as above; ``scheme`` names the discretisation in space, so that candidates that share one share the
    number of cells found for the first of them; ``settings`` go from coarse to fine in time; ``guess`` is the number of
    cells along an axis where the search for an error of 1e-3 begins; ``does`` says which problems it can do.
    """

    name: str
    needs: tuple[str, ...]
    scheme: str
    prepare: Callable[[Problem, int, Any], Run]
    settings: tuple[Any, ...] = (None,)
    guess: int = 60
    does: Callable[[Problem], bool] = lambda _problem: True

    @property
    def present(self) -> bool:
        """Whether its modules are installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)


def _own(problem: Problem, cells: int, tolerance: float) -> Run:
    import sgdphys as sp

    well = sp.landscapes.Expression(problem.potential)
    noise = None if problem.diffusion == "1" else sp.noises.Formula(problem.diffusion)
    grid = sp.fokker_planck.Grid([(-problem.wall, problem.wall, cells)] * problem.dim)
    common = {"temperature": TEMPERATURE, "grid": grid}
    if math.isinf(problem.time):
        return lambda: sp.fokker_planck.stationary(well, noise, **common).density.values[0]
    times = [problem.time]
    return lambda: (
        sp.fokker_planck.evolve(well, noise, start=problem.start, times=times, tolerance=tolerance, **common)
        .density.values[0]
    )  # fmt: skip


def _fplanck(problem: Problem, cells: int, _setting: None) -> Run:
    vars(np).setdefault("product", np.prod)  # fplanck 0.2 calls a name that NumPy 2 has dropped
    import fplanck
    from scipy import constants

    def at(formula: str) -> Callable[..., np.ndarray]:
        return lambda *axes: problem.value(formula, np.stack([one.ravel() for one in axes], 1)).reshape(axes[0].shape)

    # its drift is -D dU, its diffusion D at the cell that is left, which is Ito's reading
    spread = problem.diffusion != "1"
    system = fplanck.fokker_planck(
        temperature=TEMPERATURE / constants.k,
        drag=at(f"1 / ({problem.diffusion})") if spread else 1.0,
        extent=[2 * problem.wall] * problem.dim,
        resolution=problem.spacing(cells) * (1 + 1e-12),  # or rounding may add a cell
        potential=at("x**2/2 - log(1 + x**2)" if spread else problem.potential),
    )
    volume = problem.spacing(cells) ** problem.dim
    if math.isinf(problem.time):
        return lambda: system.steady_state() / volume
    return lambda: system.propagate(lambda *_axes: problem.start_on(cells), problem.time).ravel() / volume


def _pypde(solver: str, problem: Problem, cells: int, setting: Any, backend: str = "numba") -> Run:
    import pde

    grid, equation = _pypde_statement(problem, cells)
    dt, more = _pypde_setting(solver, problem, cells, setting)
    first = pde.ScalarField(grid, problem.start_on(cells).reshape((cells,) * problem.dim))
    method = pde.solvers.SolverBase.from_name(solver, equation, backend=backend, **more)
    step = method.make_stepper(first.copy(), dt)
    end = _LONG if math.isinf(problem.time) else problem.time

    def run() -> np.ndarray:
        state = first.copy()
        step(state, 0.0, end)
        return np.asarray(state.data)

    return run


@functools.cache
def _pypde_statement(problem: Problem, cells: int) -> tuple[Any, Any]:
    """Grid and equation, kept because they keep part of what is compiled for them."""
    import pde

    axes = "xy"[: problem.dim]
    drift = " + ".join(f"d_d{axis}(({one}) * p)" for axis, one in zip(axes, problem.gradient, strict=True))
    equation = pde.PDE({"p": f"{TEMPERATURE} * laplace(({problem.diffusion}) * p) + {drift}"}, bc={"value": 0})
    return pde.CartesianGrid([(-problem.wall, problem.wall)] * problem.dim, cells), equation


def forget() -> None:
    """Make the next statement of a problem a new one."""
    _pypde_statement.cache_clear()


def _pypde_setting(solver: str, problem: Problem, cells: int, setting: Any) -> tuple[float | None, dict[str, Any]]:
    """The time step, in units of the largest stable one of Euler, or the tolerance, as a solver takes them."""
    largest = float(problem.value(problem.diffusion, problem.points(cells)).max())
    stable = problem.spacing(cells) ** 2 / (2 * problem.dim * TEMPERATURE * largest)
    if solver == "scipy":
        return None, {"rtol": setting, "atol": setting * 1e-2, **_jacobian(problem, cells)}
    if isinstance(setting, tuple):
        return stable / 4, {"adaptive": True, "tolerance": setting[0]}
    more = {"maxerror": 1e-6} if solver in {"implicit", "crank-nicolson"} else {}
    end = _LONG if math.isinf(problem.time) else problem.time
    return end / math.ceil(end / (setting * stable)), more


def _jacobian(problem: Problem, cells: int) -> dict[str, Any]:
    from scipy import sparse

    if problem.dim == 1:
        return {"method": "LSODA", "lband": 1, "uband": 1}
    line = sparse.diags_array([np.ones(cells - 1), np.ones(cells), np.ones(cells - 1)], offsets=[-1, 0, 1])
    one = sparse.eye_array(cells)
    return {"method": "BDF", "jac_sparsity": sparse.csc_matrix(sparse.kron(line, one) + sparse.kron(one, line))}


def _fipy(theta: float, problem: Problem, cells: int, steps: int) -> Run:
    import fipy

    width = problem.spacing(cells)
    mesh = fipy.Grid1D(dx=width, nx=cells) if problem.dim == 1 else fipy.Grid2D(width, width, cells, cells)
    mesh = mesh - [[problem.wall]] * problem.dim
    faces = np.asarray(mesh.faceCenters.value).T
    drift = np.stack([problem.value(one, faces) for one in problem.gradient])
    spread = TEMPERATURE * problem.value(problem.diffusion, faces)
    if problem.diffusion != "1":
        drift = drift + TEMPERATURE * 2 * faces.T  # the gradient of 1 + x^2
    drift = fipy.FaceVariable(mesh, value=drift * ~np.asarray(mesh.exteriorFaces.value), rank=1)  # walls reflect
    spread = fipy.FaceVariable(mesh, value=spread)
    order = np.arange(cells**problem.dim).reshape((cells,) * problem.dim).T.ravel()  # its first coordinate is fastest
    density = fipy.CellVariable(mesh, value=problem.start_on(cells)[order])
    term = fipy.ExponentialConvectionTerm if theta == 1 else fipy.CentralDifferenceConvectionTerm
    right = theta * (fipy.DiffusionTerm(coeff=spread) + term(coeff=drift))
    if theta < 1:
        right = right + (1 - theta) * (spread * density.faceGrad + drift * density.arithmeticFaceValue).divergence
    equation, solver = fipy.TransientTerm() == right, fipy.solvers.LinearLUSolver()
    end = 1e9 if math.isinf(problem.time) else problem.time

    def run() -> np.ndarray:
        density.setValue(problem.start_on(cells)[order])
        for _ in range(steps):
            equation.solve(var=density, dt=end / steps, solver=solver)
        found = np.empty(order.size)
        found[order] = density.value
        return found

    return run


def _evolving(problem: Problem) -> bool:
    return math.isfinite(problem.time)


def _quiet(prepare: Callable[..., Run]) -> Callable[..., Run]:
    @functools.wraps(prepare)
    def quiet(*arguments: Any, **options: Any) -> Run:
        warnings.simplefilter("ignore")
        return prepare(*arguments, **options)

    return quiet


def _py_pde(name: str, solver: str, settings: tuple[Any, ...], **options: Any) -> Candidate:
    prepare = _quiet(functools.partial(_pypde, solver, **options))
    return Candidate(f"py-pde, {name}", ("pde",), "central differences", prepare, settings, 144)


def _fi_py(name: str, theta: float, scheme: str, settings: tuple[int, ...]) -> Candidate:
    does = (lambda _problem: True) if theta == 1 else _evolving
    return Candidate(f"FiPy, {name}", ("fipy",), scheme, _quiet(functools.partial(_fipy, theta)), settings, 120, does)


_STEPS = (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)
_SHARES = (0.98, 0.7, 0.5, 0.25, 0.12, 0.06)
_TOLERANCES = tuple(10.0**-power for power in range(2, 8))

CANDIDATES = (
    Candidate("sgdphys", ("sgdphys",), "own", _own, _TOLERANCES),
    Candidate("fplanck", ("fplanck",), "fplanck", _fplanck),
    _py_pde("Runge-Kutta 4, fixed step", "runge-kutta", (1.3, 1.0, 0.5)),
    _py_pde("Runge-Kutta 4(5), adaptive", "runge-kutta", tuple((one,) for one in _TOLERANCES)),
    _py_pde("Euler, fixed step", "euler", _SHARES),
    _py_pde("implicit Euler", "implicit", (0.4, 0.2, 0.1, 0.05)),  # both iterate, and converge for small steps only
    _py_pde("Crank-Nicolson", "crank-nicolson", (0.8, 0.5, 0.25)),
    _py_pde("SciPy's LSODA or BDF", "scipy", _TOLERANCES),
    _py_pde("Euler, NumPy's backend", "euler", _SHARES, backend="numpy"),
    _py_pde("SciPy's LSODA or BDF, NumPy's backend", "scipy", _TOLERANCES, backend="numpy"),
    _fi_py("Crank-Nicolson, central differences", 0.5, "FiPy, central", _STEPS),
    _fi_py("implicit Euler, exponential scheme", 1.0, "FiPy, exponential", (1, *_STEPS)),
)
