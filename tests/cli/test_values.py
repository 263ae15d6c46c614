"""Lists, ranges and minus signs of the command line."""

import argparse

import pytest

from sgdphys.cli.parser import build_parser, protect_minus
from sgdphys.cli.tables import print_table, with_error
from sgdphys.cli.values import integer, integers, numbers, parameter, window


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.05:0.4:8", [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4]),
        ("0.1,0.2", [0.1, 0.2]),
        ("1:1:1", [1.0]),
        (" -1:1:3", [-1.0, 0.0, 1.0]),
    ],
)
def test_numbers(text, values):
    assert numbers(text) == values


def test_other_values():
    assert integer("1e5") == 100_000
    assert integers("0:9:10") == list(range(10))
    assert parameter("h=0.1") == ("h", 0.1)
    assert window("-3:3:400,0:1:10") == [(-3.0, 3.0, 400), (0.0, 1.0, 10)]


@pytest.mark.parametrize(
    ("read", "text"), [(numbers, "1:2:1"), (numbers, "1:2:0"), (integers, "0.5"), (integer, "nan")]
)
def test_refused_values(read, text):
    with pytest.raises(argparse.ArgumentTypeError):
        read(text)


def test_values_may_begin_with_a_minus_sign():
    argv = ["simulate", "-x**2/2 + x**4", "--start", "-1,0.5", "--temperature", "-0.1"]
    arguments = build_parser().parse_args(protect_minus(argv))
    assert arguments.landscape.strip() == "-x**2/2 + x**4"
    assert arguments.start == [-1.0, 0.5]
    assert arguments.temperature == -0.1


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.87034, 0.00121, "0.8703(12)"),
        (12.3, 4.5, "12.3(45)"),
        (1234.0, 56.0, "1234(56)"),
        (1.5e-4, 2e-6, "1.500(20)e-04"),
        (1.5e-3, 2e-5, "0.001500(20)"),
        (1e-5, 3e-3, "0.0000(30)"),
        (1e-5, 3e-4, "0.1(30)e-04"),
        (-62.0641, 0.0997, "-62.06(10)"),
        (0.5, None, "0.5"),
        (2.75, 3e-16, "2.75"),
        (float("nan"), 0.1, "-"),
    ],
)
def test_with_error(value, error, text):
    assert with_error(value, error) == text


def test_tables_are_aligned(capsys):
    print_table(["T", "value"], [["0.05", "1"], ["0.1", "100"]])
    assert capsys.readouterr().out == "   T  value\n0.05      1\n 0.1    100\n"
    print_table(["T", "variance\nreal"], [["0.05", "1"]])
    assert capsys.readouterr().out == "      variance\n   T      real\n0.05         1\n"
