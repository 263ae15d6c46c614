"""``sgdphys density``: what it prints, leaves behind and refuses."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import sgdphys as sp
from sgdphys.cli import main
from sgdphys.cli.density_settings import boundaries
from sgdphys.cli.values import formulas, matrix

WELL = "x**4/4 - x**2/2"
DENSITY = ["density", WELL, "--temperature", "0.1"]
PARAMETERS = ["--parameter", "a=0.3", "--parameter", "b=2"]
STILL = "stationary"
BOWL = ["density", "x**2/2", "--temperature", "0.1"]
WALLED = ["--grid", "-2:1:100", "--boundaries", "far:absorbing"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def say(capsys):
    """Return a function that runs a command and returns its lines."""

    def run(*argv):
        code = main(list(argv))
        output = capsys.readouterr()
        assert code == 0, output.err
        assert output.err == ""
        return output.out.splitlines()

    return run


def _row(lines, time):
    (found,) = [line.split() for line in lines if line.split()[0] == time and line.split()[1] != "by"]
    return [float(number) for number in (found[1:] if time == STILL else found)]


def _line(lines, beginning):
    (found,) = [line for line in lines if line.startswith(beginning)]
    return found


def test_the_stationary_state_of_a_well(say):
    lines = say(*DENSITY)
    assert lines[0].split() == ["time", "entropy", "E[f]", "F", "KL", "mass", "entropy", "production"]
    entropy, mean, free, divergence, mass, production = _row(lines, STILL)
    assert free == pytest.approx(mean - 0.1 * entropy, abs=1e-6)
    assert (divergence, mass, production) == (0, 1, 0)
    assert _line(lines, "stationary by").startswith("stationary by method gibbs, residual ")
    assert "current: none" in lines
    assert "c = 1 (mean diffusion 1)" in _line(lines, "potential -T log p")
    assert lines[-1].startswith("T = 0.1 x^2/loss; grid ")
    assert len(lines) == 6


@pytest.mark.parametrize("temperature", [0.005, 1e-4])
def test_both_wells_are_held_at_low_temperature(say, temperature):
    entropy, mean, *_ = _row(say("density", WELL, "--temperature", str(temperature)), STILL)
    one_well = np.log(np.sqrt(2 * np.pi * np.e * temperature / 2))
    assert entropy == pytest.approx(np.log(2) + one_well, abs=2 * temperature)
    assert mean == pytest.approx(-0.25 + temperature / 2, abs=temperature**2)


def test_noise_that_depends_on_the_place(say):
    lines = say(*DENSITY, "--noise", "1 + x**2", "--interpretation", "stratonovich", "--grid", "-3:3:300")
    assert "F = E[Phi] - T H with Phi = -T log p of the stationary density" in lines
    entropy, mean, free, divergence, *_ = _row(lines, STILL)
    assert free == divergence == 0
    x = np.linspace(-3, 3, 6001)
    weight = np.exp(-(x**2 / 2 - np.log(1 + x**2)) / 0.1) / np.sqrt(1 + x**2)  # f' / D integrated
    weight /= np.trapezoid(weight, x)
    assert mean == pytest.approx(np.trapezoid(weight * (x**4 / 4 - x**2 / 2), x), abs=5e-5)
    assert entropy == pytest.approx(-np.trapezoid(weight * np.log(weight), x), abs=1e-3)
    other = say(*DENSITY, "--diffusion", "1 + x**2", "--grid", "-3:3:300")
    assert abs(_row(other, STILL)[1] - mean) > 5e-4, "Ito is another state"


def test_the_noise_of_sgd(say):
    of_sgd = say("density", WELL, "--lr", "0.8", "--batch-size", "4")
    assert of_sgd == say(*DENSITY)


def test_a_circulation(say):
    names = ["--circulation", "-w*y,w*x", "--parameter", "w=2", "--parameter", "k=1"]
    lines = say("density", "k*(x**2 + y**2)/2", "--temperature", "0.1", *names, "--grid", "-2:2:50,-2:2:50")
    *_, production = _row(lines, STILL)
    assert production == pytest.approx(2 * 2**2, rel=0.015), "w^2 <r^2> / T = 2 w^2"
    assert _line(lines, "current:").endswith("loss/x^3")


def test_an_evolving_density_is_drawn_filmed_and_kept(say, tmp_path):
    files = ["--plot", "d.png", "--animate", "d.gif", "--store", "d.zarr"]
    lines = say(*DENSITY, "--times", "0,1,5,20", "--start", "-1", "--grid", "-2.5:2.5:100", "--currents", *files)
    assert lines[0] == "start -1 (as given)"
    free = [_row(lines, time)[3] for time in ("0", "1", "5", "20")]
    assert free == sorted(free, reverse=True)
    assert _row(lines, "0")[6] == np.inf
    assert lines[-3:] == ["store: d.zarr", "picture: d.png", "film: d.gif"]
    kept = sp.open("d.zarr")
    assert kept["current"].dims == ("time", "x", "coordinate")
    assert (tmp_path / "d.png").stat().st_size > 10_000
    with Image.open("d.gif") as film:
        assert film.n_frames == 4
    assert say("plot", "d.zarr", "--output", "again.gif") == ["film: again.gif"]


def test_methods(say):
    grid = ["--grid", "-2.5:2.5:60", "--times", "1", "--start", "0.5"]
    adaptive = _row(say(*DENSITY, *grid), "1")
    exact = _row(say(*DENSITY, *grid, "--method", "exponential"), "1")
    assert adaptive == pytest.approx(exact, abs=1e-4)
    coarse = _row(say(*DENSITY, *grid, "--method", "implicit-euler", "--dt", "0.1"), "1")
    assert 1e-3 < abs(coarse[1] - exact[1]) < 0.1
    kept = say(*DENSITY, "--method", "elimination", "--grid", "-2.2:2.2:60")
    assert "method elimination" in _line(kept, "stationary by")


def test_times_of_passage(say):
    lines = say(*DENSITY, "--start", "-1", "--target", "x > 1", "--source", "x < -1.2", "--grid", "-2.5:2.5:200")
    grid, well = sp.Grid([(-2.5, 2.5, 200)]), sp.landscapes.Expression(WELL)
    exact = sp.fokker_planck.mean_first_passage_time(well, temperature=0.1, grid=grid, start=-1.0, target="x > 1")
    assert lines[0] == "start -1 (as given)"
    assert f"mean time of first passage to x > 1: {float(exact):.6g} x^2/loss" in lines
    first = _line(lines, "first to be reached: x < -1.2 ").split()
    assert float(first[7].rstrip(",")) + float(first[11]) == pytest.approx(1.0, abs=1e-5)
    assert _line(lines, "from x < -1.2 to x > 1: rate ").endswith("transitions per time")


@pytest.mark.parametrize(
    ("landscape", "target", "start", "source"),
    [
        (WELL, "x > 0.8", "-1", "minimum found outside the target"),
        ("double-well", "x < -0.8", "1", "known minimum outside the target"),
    ],
)
def test_a_start_in_the_target_gives_way_to_another_minimum(say, landscape, target, start, source):
    argv = ["density", landscape, "--temperature", "0.1", "--target", target, "--grid", "-2.5:2.5:100"]
    lines = say(*argv)
    assert lines[0] == f"start {start} ({source})"
    assert lines[1:] == say(*argv, "--start", start)[1:]
    assert say(*DENSITY, "--target", "x > 1")[0].startswith("start -1 ("), "the minimum lies on the edge"
    kept = say(*DENSITY, "--target", "x > 0.8", "--start", "1")
    assert "mean time of first passage to x > 0.8: 0 x^2/loss" in kept


def test_the_default_grid_holds_a_start_in_a_higher_well(say):
    tilted = ["density", f"{WELL} + x/10", "--temperature", "0.004"]
    lines = say(*tilted, "--start", "0.9", "--target", "x < 0.10103")
    time = float(_line(lines, "mean time of first passage").split()[-2])
    barrier, curvatures = 0.157665, np.sqrt(1.68276 * 0.96938)
    kramers = 2 * np.pi / curvatures * np.exp(barrier / 0.004)
    assert time == pytest.approx(kramers / 2, rel=0.1), "from the top half of the paths turn back"
    assert "x^2/loss; grid -" in lines[-1]


def test_absorbing_walls(say):
    lines = say(*DENSITY, *WALLED, "--start", "-1")
    assert [line.split(":")[0] for line in lines[1:3]] == [
        "mean time of first passage to an absorbing wall",
        "first to be reached",
    ]
    time = float(lines[1].split()[-2])
    evolving = say(*DENSITY, *WALLED, "--start", "-1", "--times", "20,40")
    first, second = (_row(evolving, instant)[5] for instant in ("20", "40"))
    assert np.log(first / second) / 20 == pytest.approx(1 / time, rel=0.1), "the slowest decay"
    assert "with absorbing walls: entropy, energies and KL of what is left" in evolving


def test_inertia(say):
    argv = ["density", "x**2/2", "--temperature", "0.1", "--friction", "1", "--grid", "-2:2:50,-2:2:50"]
    lines = say(*argv)
    assert lines[0].split()[2] == "E[H]"
    assert _row(lines, STILL)[1] == pytest.approx(0.1, rel=0.01), "T/2 for each quadratic term"
    argv += ["--scheme", "upwind"]
    assert say(*argv, "--times", "0.1", "--start", "0.5,-0.2")[0] == "start 0.5 (as given), velocity -0.2"
    assert say(*argv, "--times", "0.1", "--start", "0.5")[0] == "start 0.5 (as given), velocity 0"


def test_relaxation_rates(say, tmp_path):
    lines = say(*BOWL, "--rates", "4", "--plot", "rates.png", "--store", "rates.zarr")
    rows = [line.split() for line in lines[-6:-2]]
    assert [int(row[0]) for row in rows] == [0, 1, 2, 3]
    assert [float(row[1]) for row in rows] == pytest.approx([0, 1, 2, 3], abs=0.01)
    assert (tmp_path / "rates.png").stat().st_size > 10_000
    kept = sp.open("rates.zarr")
    assert {"density", "relaxation_rate", "left_mode"} <= set(kept)
    assert say("plot", "rates.zarr") == ["picture: rates.png"]


def test_rates_beside_passages(say):
    lines = say(*DENSITY, "--target", "x > 1", "--start=-1", "--rates", "2")
    time = float(_line(lines, "mean time of first passage").split()[-2])
    slowest = float(lines[-1].split()[1])
    assert 1.5 < slowest * time < 2.5, "two wells exchange at twice the rate of leaving one"
    walled = say(*DENSITY, *WALLED, "--start", "-1", "--rates", "2", "--store", "d.zarr")
    time = float(_line(walled, "mean time of first passage").split()[-2])
    assert float(walled[-3].split()[1]) * time == pytest.approx(1.0, abs=0.1)
    assert "density" not in sp.open("d.zarr")


def test_flat_and_periodic(say):
    lines = say("density", "0*x", "--temperature", "0.1", "--grid", "0:1:20", "--boundaries", "reflecting")
    assert "so that no scale c can be found" in _line(lines, "potential against loss")
    ring = say(
        "density", "cos(x) - 0.5*x", "--temperature", "0.3", "--grid", "0:6.283185307:80", "--boundaries", "periodic"
    )
    assert _row(ring, STILL)[5] > 0.01
    assert _line(ring, "potential against loss").endswith("the loss does not close")


def test_the_default_grid_of_a_steep_landscape_lets_hops_both_ways(say):
    lines = say("density", "mueller-brown", "--temperature", "10", "--rates", "3")
    rates = [float(line.split()[1]) for line in lines[-3:]]
    assert rates[0] == 0 and 0 < rates[1] < rates[2]
    turned = say("density", "mueller-brown", "--temperature", "10", "--circulation", "-y,x")
    assert 0 < _row(turned, STILL)[5] < 1


def test_parameters_of_the_diffusion(say):
    grid = ["--grid", "-3:3:60"]
    named = say("density", "b*x**2/2", *DENSITY[2:], "--diffusion", "1 + a*x**2", *grid, *PARAMETERS)
    assert named == say("density", "x**2", *DENSITY[2:], "--diffusion", "1 + 0.3*x**2", *grid)
    shared = say("density", "a*x**2", *DENSITY[2:], "--diffusion", "1 + a*x**2", *grid, "--parameter", "a=0.3")
    assert shared == say("density", "0.3*x**2", *DENSITY[2:], "--diffusion", "1 + 0.3*x**2", *grid)


def test_anisotropic_diffusion(say):
    bowl = ["density", "(x**2 + y**2)/2", "--temperature", "0.1", "--grid", "-2:2:50,-2:2:50"]
    diagonal = say(*bowl, "--diffusion", "1,0.5")
    assert diagonal == say(*bowl, "--diffusion", "1, 0; 0, 0.5")
    assert _row(diagonal, STILL)[1] == pytest.approx(0.1 * (1 + 0.5) / 2, rel=0.02), "E[f] = T tr D / 2"
    fields = say(*bowl, "--diffusion", "1 + x**2, sqrt(0.25)")
    assert _row(fields, STILL)[1] > 0.08
    turned = say(*bowl, "--diffusion", "1,0.4;0.4,1")
    assert _row(turned, STILL)[1] == pytest.approx(0.1, rel=0.03)
    assert _row(turned, STILL)[0] < _row(say(*bowl), STILL)[0] - 0.05, "log sqrt(1 - 0.4^2) = -0.087"


def test_inertia_towards_a_target(say):
    argv = ["density", "x**2/2", "--temperature", "0.1", "--friction", "1", "--grid", "-2:2:50,-2:2:50"]
    times = [
        float(_line(say(*argv, "--target", target, *scheme), "mean time of first").split()[-2])
        for target in ("x > 0.5", "y > 0.5")
        for scheme in ([], ["--scheme", "upwind"])
    ]
    assert times[0] == pytest.approx(times[1], rel=0.2) and times[0] != times[1]
    assert times[2] < times[0], "the velocity turns round faster than the position"


def test_a_loss_against_its_potential(say):
    lines = say("density", "cos(x)", "--temperature", "0.3", "--grid", "0:6.283185307:80", "--boundaries", "periodic")
    assert "closest to f/c with c = 1 (" in _line(lines, "potential -T log p")


def test_a_store_is_refused_before_anything_is_computed(say, capsys, monkeypatch):
    say(*BOWL, "--store", "d.zarr")
    monkeypatch.setattr("sgdphys.fokker_planck.stationary", None)
    assert main([*BOWL, "--store", "d.zarr"]) == 2
    assert capsys.readouterr().err == (
        "sgdphys: a store exists already at d.zarr: --overwrite replaces it, or choose another --store\n"
    )
    monkeypatch.undo()
    assert main([*BOWL, "--store", "d.zarr", "--overwrite"]) == 0


def test_formulas_and_boundaries_from_text():
    assert formulas(" -y,max(x, 1)*y") == ["-y", "max(x, 1)*y"]
    assert matrix(" 1 + x**2") == "1 + x**2"
    assert matrix("1,max(x, 2)") == ["1", "max(x, 2)"]
    assert matrix("1,0.2; 0.2,1") == [["1", "0.2"], ["0.2", "1"]]
    assert boundaries("periodic") == "periodic"
    assert boundaries("absorbing:far,periodic") == [("absorbing", "far"), ("periodic", "periodic")]
    assert boundaries("far:absorbing") == [("far", "absorbing")]


REFUSALS = {
    "no temperature": (["density", WELL], "either --temperature, or both of --lr and --batch-size"),
    "both temperatures": ([*DENSITY, "--lr", "0.1", "--batch-size", "4"], "either --temperature, or both"),
    "lr alone": (["density", WELL, "--lr", "0.1"], "both of --lr and --batch-size"),
    "negative lr": (["density", WELL, "--lr", "-0.1", "--batch-size", "4"], "lr must be positive"),
    "no samples": (["density", WELL, "--lr", "0.1", "--batch-size", "0"], "batch_size must be"),
    "zero temperature": (["density", WELL, "--temperature", "0"], "temperature must be positive and finite on a grid"),
    "infinite temperature": (["density", WELL, "--temperature", "inf"], "temperature must be positive and finite"),
    "reading alone": ([*DENSITY, "--interpretation", "stratonovich"], "give --diffusion too"),
    "unknown reading": ([*DENSITY, "--diffusion", "1", "--interpretation", "anti-ito"], "invalid choice"),
    "diffusion with code": ([*DENSITY, "--diffusion", "__import__('os')"], "sgdphys: "),
    "singular diffusion": ([*DENSITY, "--diffusion", "x**2", "--grid", "-1:1:5"], "must be positive in all directions"),
    "negative diffusion": ([*DENSITY, "--diffusion", "-1"], "must be positive in all directions"),
    "diffusion of another dimension": ([*DENSITY, "--diffusion", "y**2"], "sgdphys: "),
    "circulation of another dimension": ([*DENSITY, "--circulation", "-y,x"], "has 2 coordinates, the base has 1"),
    "circulation without a formula": ([*DENSITY, "--circulation", ","], "sgdphys: "),
    "two circulations": (["density", "chaudhari-soatto", "--temperature", "1", "--circulation", "-y,x"], "sgdphys: "),
    "unknown parameter": ([*DENSITY, "--circulation", "w*x", "--parameter", "v=1"], "sgdphys: "),
    "negative friction": ([*DENSITY, "--friction", "-1"], "friction must be positive"),
    "friction and noise": (
        [*DENSITY, "--friction", "1", "--diffusion", "1 + x**2"],
        "needs a landscape without circul",
    ),
    "friction in two": (["density", "mueller-brown", "--temperature", "9", "--friction", "1"], "there are 4 axes"),
    "velocity nan": ([*BOWL, "--friction", "1", "--times", "1", "--start", "0,nan"], "start must be finite, got 0,nan"),
    "unknown boundary": ([*DENSITY, "--grid", "-2:2:50", "--boundaries", "sticky"], "must be of far, reflecting"),
    "boundary of three sides": ([*DENSITY, "--boundaries", "far:far:far"], "is neither a word nor low:high"),
    "boundaries of two axes": ([*DENSITY, "--grid", "-2:2:50", "--boundaries", "far,far"], "for each of 1 axes, got 2"),
    "half periodic": ([*DENSITY, "--grid", "-2:2:50", "--boundaries", "far:periodic"], "periodic on both sides"),
    "boundaries without a grid": ([*DENSITY, "--boundaries", "periodic"], "--boundaries needs --grid"),
    "unknown method": ([*DENSITY, "--times", "1", "--method", "rk4"], "method must be one of adaptive"),
    "evolving without times": ([*DENSITY, "--method", "crank-nicolson"], "--method crank-nicolson needs --times"),
    "unknown stationary method": ([*DENSITY, "--method", "lu"], "method must be auto, gibbs, elimination or"),
    "euler without dt": ([*DENSITY, "--times", "1", "--method", "implicit-euler"], "needs dt="),
    "adaptive with dt": ([*DENSITY, "--times", "1", "--dt", "0.1"], "leave out dt="),
    "negative dt": ([*DENSITY, "--times", "1", "--method", "implicit-euler", "--dt", "-1"], "dt must be positive"),
    "dt of a stationary state": ([*DENSITY, "--dt", "0.1"], "--dt needs --times"),
    "no gibbs state": ([*DENSITY, "--method", "gibbs", "--grid", "0:6:50", "--boundaries", "periodic"], "is not Gibbs"),
    "falling times": ([*DENSITY, "--times", "2,1"], "times must increase"),
    "negative times": ([*DENSITY, "--times", "-1,1"], "times must increase and not begin before"),
    "start outside": (
        [*DENSITY, "--times", "1", "--start", "9", "--grid", "-2:2:50"],
        "start 9 is outside the walls [-2, 2]",
    ),
    "target outside": ([*DENSITY, "--target", "x > 100"], "holds no cell centre"),
    "target without meaning": ([*DENSITY, "--target", "x >"], "sgdphys: "),
    "target in another coordinate": ([*DENSITY, "--target", "z > 1"], "sgdphys: "),
    "source alone": ([*DENSITY, "--source", "x < -1"], "--source needs --target"),
    "source in the target": (
        [*DENSITY, "--target", "x > 0", "--source", "x > 1"],
        "--source x > 1 shares cells with --target x > 0",
    ),
    "no rates": ([*DENSITY, "--rates", "0"], "count must be"),
    "too many rates": ([*DENSITY, "--rates", "50", "--grid", "-2:2:50"], "count must be at most 20"),
    "film of nothing": ([*DENSITY, "--animate", "film.gif"], "--animate needs --times"),
    "film of one frame": ([*DENSITY, "--times", "1", "--animate", "film.gif"], "2 to 400 frames, got 1"),
    "film of a kind": ([*DENSITY, "--times", "1,2", "--animate", "film.avi"], "must end in .gif or .mp4"),
    "picture of a kind": ([*DENSITY, "--plot", "picture.docx"], "must end in .png, .pdf or .svg"),
    "picture nowhere": ([*DENSITY, "--plot", "nowhere/picture.png"], "'nowhere' of the picture does not exist"),
    "currents of a stationary state": ([*DENSITY, "--currents"], "--currents needs --times"),
    "stored exit": ([*DENSITY, *WALLED, "--store", "d.zarr"], "nothing is stationary: --store needs --times"),
    "three coordinates": (
        ["density", "x**2 + y**2 + z**2", "--temperature", "1"],
        "no default grid has 3 axes: give --grid",
    ),
    "nothing but the target": ([*BOWL, "--target", "x > -1"], "no minimum was found outside it: give --start"),
    "unused parameter": ([*DENSITY, "--diffusion", "1 + a*x**2", "--parameter", "b=1"], "sgdphys: "),
    "parameter of nothing": ([*DENSITY, "--parameter", "a=1"], "does not use the parameter a"),
    "two diffusions": ([*DENSITY, "--diffusion", "1", "--noise", "0.3"], "given twice"),
    "diffusion of two axes": ([*DENSITY, "--diffusion", "1,0.3"], "names 2 coordinates, and there are 1"),
    "tensor that is not square": ([*DENSITY, "--diffusion", "1,0.3;1"], "must be square"),
    "scheme without inertia": ([*DENSITY, "--scheme", "upwind"], "--scheme needs --friction"),
    "target in the velocity": (
        [*BOWL, "--friction", "1", "--target", "v > 1"],
        "with --friction x is the position and y its velocity",
    ),
    "a start without times": ([*DENSITY, "--start", "1"], "--start needs --times or --target"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name, capsys, tmp_path):
    argv, message = REFUSALS[name]
    code = main(argv)
    output = capsys.readouterr()
    assert code == 2, output
    assert message in output.err
    assert output.err.startswith("sgdphys: ")
    assert output.err.count("\n") == 1
    assert "Traceback" not in output.err
    assert output.out == ""
    assert list(tmp_path.iterdir()) == [], "a refusal leaves nothing behind"


@pytest.mark.filterwarnings("always")
def test_a_grid_that_cuts_off_probability_is_warned_of(capsys):
    assert main([*BOWL, "--grid", "-0.5:2:50"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("sgdphys: warning: about ")
    assert "of the probability lies beyond the low wall of axis 0, at -0.5: widen the grid" in error


def test_the_store_repeats_the_run(say):
    say(*DENSITY, "--diffusion", "1 + x**2", "--grid", "-3:3:60", "--boundaries", "reflecting", "--store", "d.zarr")
    configuration = json.loads(sp.open("d.zarr").attrs["configuration"])
    assert configuration["noise"]["interpretation"] == "ito"
    assert configuration["boundaries"] == [["reflecting", "reflecting"]]


def test_help_loads_nothing_heavy():
    code = "import sys; from sgdphys.cli import main; main(['density', '--help']); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
