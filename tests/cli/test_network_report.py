"""The tables of a network sweep: what stands in them, in which order, how wide, and when a note is due."""

import numpy as np
import pytest
import torch

import sgdphys as sp
from sgdphys.cli.network_report import print_network_sweep
from sgdphys.sweeps import sweep_network


def _sweep(t1, **options):
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = torch.nn.Linear(3, 1, bias=False)
    network = sp.Network(model, lambda output, target: 0.5 * (output[:, 0] - target) ** 2, (inputs, targets))
    sizes = {"rank": 2, "n_replicas": 40, "n_particles": 50, "n_flatness": 2, "n_frames": 5, "threads": 1}
    return sweep_network(network, lrs=[0.05, 0.1], batch_sizes=[4, 8], t1=t1, **sizes, **options)


@pytest.fixture(scope="module")
def printed():
    import contextlib
    import io

    sweep, text = _sweep(8.0), io.StringIO()
    with contextlib.redirect_stdout(text):
        print_network_sweep(sweep)
    return sweep, text.getvalue()


def _rows(text):
    return [line.split() for line in text.splitlines() if line.strip()[:2] == "0."]


def test_rows_stand_in_the_order_of_temperature(printed):
    rows = _rows(printed[1])
    assert [row[:2] for row in rows] == 2 * [["0.05", "8"], ["0.05", "4"], ["0.1", "8"], ["0.1", "4"]]
    assert [float(row[2]) for row in rows[:4]] == pytest.approx([0.003125, 0.00625, 0.00625, 0.0125], rel=2e-3)
    assert [row[3] for row in rows[:4]] == ["160", "160", "80", "80"]


def test_values_are_those_of_the_sweep(printed):
    sweep, text = printed
    rows, point = _rows(text), sweep.isel(lr=1, batch_size=0, seed=0)
    number = lambda cell: float(cell.split("(")[0])  # noqa: E731
    assert number(rows[3][4]) == pytest.approx(float(point["mean_ratio_real"]), rel=0.01)
    difference = float(point["entropy_sim"] - point["entropy_predicted"])
    assert number(rows[3][7]) == pytest.approx(difference, abs=0.01)
    assert number(rows[7][5]) == pytest.approx(float(point["variance_predicted"].sum()), rel=1e-3)
    assert number(rows[7][6]) == pytest.approx(float(point["excess_loss"]), rel=0.01)
    assert rows[7][9] == "-"  # no test data


def test_the_head_says_what_is_compared_and_everything_fits(printed):
    text = printed[1]
    assert max(map(len, text.splitlines())) <= 120
    for part in ("40 networks, trained by SGD from the minimum", "50 particles", "3 times from t = 4 to 8", "D = the"):
        assert part in text
    assert "have not relaxed" not in text


def test_a_short_run_says_that_directions_have_not_relaxed(capsys):
    print_network_sweep(_sweep(1.0))
    printed = capsys.readouterr().out
    assert "note: 2 of the 2 directions have not relaxed" in printed
    assert max(map(len, printed.splitlines())) <= 120
