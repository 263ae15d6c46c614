"""Clouds of networks, and gradient noise and curvature of a large one, on a GPU.

    python benchmarks/gpu.py [--device cuda] [--small] [--rounds 3] [--threads 1] [--only clouds products]
                             [--compile] [--record]

Clouds: 1, 64, 1024 and 8192 small MLPs and 1, 16 and 128 small CNNs on MNIST, with random data of the same shape where
``SGDPHYS_DATA`` is not set, against a loop over plain torch models and torch's own stacked models. A call of so many
steps that it takes a second or more is timed, its start and the copy of the result included; candidates take turns,
after a warm-up whose final losses must agree. Of the loop eight models are timed; the others take as long each.

Products: ResNet-18 in eval mode, as in ``network.py``, in units of one plain gradient.

All in float32 with TF32 off. The device has finished before a clock is read. ``--record`` appends what is printed to
``gpu.md``; ``--device cpu --small`` runs the same code in a minute.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timing
import torch
from cases.cloud_candidates import CLOUDS, Candidate, CloudSetup, candidates
from cases.network_candidates import CANDIDATES
from cases.network_problems import Setup
from cases.residual_network import residual_network
from gradient_units import compare, seconds

REPLICAS = {"mlp": (1, 64, 1024, 8192), "cnn": (1, 16, 128)}
SMALL = {"mlp": (1, 16), "cnn": (1, 4)}
_AGREE = 5.0  # standard errors that final mean losses may lie apart
_FEWEST, _MOST = 5, 2000  # steps
SHORTEST = 0.1  # seconds of a small run


def device_name(device: str) -> str:
    """Return what runs: the GPU, or the processor in general words."""
    if device == "cpu":
        return f"CPU, {platform.machine()}, {torch.get_num_threads()} of {timing.threads()} threads"
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def heading(device: str) -> str:
    data = "MNIST" if os.environ.get("SGDPHYS_DATA") else "random data of MNIST's shape (SGDPHYS_DATA is not set)"
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"## {device_name(device)}\n\n{day}, Python {platform.python_version()}, torch {torch.__version__}, {data}."


def check(setup: CloudSetup, named: dict[str, Any]) -> None:
    """Compare the mean final losses of the candidates.

    Raises
    ------
    RuntimeError
        They differ by more than chance.
    """
    losses = {name: setup.losses(points) for name, points in named.items()}
    first = losses[next(iter(losses))]
    for name, own in losses.items():
        if min(len(own), len(first)) < 4:
            continue
        error = float((own.var() / len(own) + first.var() / len(first)).sqrt())
        apart = float(own.mean() - first.mean())
        if not abs(apart) <= _AGREE * error + 1e-6:
            raise RuntimeError(f"{name} ends at loss {own.mean():.4g}, sgdphys at {first.mean():.4g} +- {error:.2g}")


def steps_of(one: Candidate, least: float) -> int:
    """Return a number of steps that takes as many seconds."""
    few = seconds(lambda: one.run(2), 1)
    more = seconds(lambda: one.run(12), 1)
    return int(min(_MOST, max(_FEWEST, math.ceil(least / max((more - few) / 10, 1e-6)))))


def measure(setup: CloudSetup, present: list[Candidate], rounds: int, least: float) -> dict[str, list[float]]:
    """Return seconds per step of the whole cloud of each candidate in each round."""
    check(setup, {one.name: one.run(10) for one in present})
    steps = {one.name: steps_of(one, least) for one in present}
    times: dict[str, list[float]] = {one.name: [] for one in present}
    for _ in range(rounds):
        for one in present:
            taken = seconds(lambda one=one: one.run(steps[one.name]), 1)  # type: ignore[misc]
            times[one.name].append(taken / steps[one.name] * setup.replicas / one.timed)
    return times


def cloud_table(setup: CloudSetup, rounds: int, least: float, *, compiled: bool) -> Iterator[str]:
    """Yield the lines of a cloud."""
    present = candidates(setup, compiled=compiled)
    times = measure(setup, present, rounds, least)
    title = f"{setup.replicas} x {setup.problem.title}, d = {setup.dim:,}, B = {setup.batch_size}"
    yield f"\n| {title} | ms per step | us per replica-step | ratio (lowest, highest) |\n|---|---|---|---|"
    for name, values in times.items():
        own = timing.ratios(times, name, present[0].name)
        spread = "1" if name == present[0].name else f"{statistics.median(own):.3g} ({min(own):.3g}, {max(own):.3g})"
        middle = statistics.median(values)
        yield f"| {name} | {1e3 * middle:.3g} | {1e6 * middle / setup.replicas:.3g} | {spread} |"


def clouds(device: str, *, small: bool, rounds: int, compiled: bool) -> Iterator[str]:
    """Yield the tables of all clouds."""
    for kind, counts in (SMALL if small else REPLICAS).items():
        for count in counts:
            setup = CloudSetup(CLOUDS[kind], count, device, threads=torch.get_num_threads())
            yield from cloud_table(setup, rounds, SHORTEST if small else 1.0, compiled=compiled)


def products(device: str, *, small: bool, rounds: int) -> Iterator[str]:
    """Yield the table of the large network."""
    setup = Setup(residual_network(4 if small else 64), 8 if small else 256, torch.float32, device)
    largest = 1e9 if device == "cpu" else 0.6 * torch.cuda.get_device_properties(device).total_memory
    yield from compare(setup, rounds, [one for one in CANDIDATES if one.present], largest)


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="few replicas, a narrow network")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch on the processor")
    parser.add_argument("--only", nargs="*", choices=["clouds", "products"], default=["clouds", "products"])
    parser.add_argument("--compile", action="store_true", help="torch.compile too, minutes for each cloud")
    parser.add_argument("--record", action="store_true", help="append to gpu.md")
    arguments = parser.parse_args(given)
    if arguments.device != "cpu" and not torch.cuda.is_available():
        print("no CUDA device is here: nothing is measured; --device cpu --small runs the same code")
        return
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.allow_tf32 = False
    lines = []
    for line in parts(arguments):
        print(line, flush=True)
        lines.append(line)
    if arguments.record:
        with (Path(__file__).parent / "gpu.md").open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n\n")


def parts(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield all lines."""
    yield heading(arguments.device)
    if "clouds" in arguments.only:
        yield from clouds(arguments.device, small=arguments.small, rounds=arguments.rounds, compiled=arguments.compile)
    if "products" in arguments.only:
        yield from products(arguments.device, small=arguments.small, rounds=arguments.rounds)


if __name__ == "__main__":
    main()
