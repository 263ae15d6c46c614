"""Clouds of networks against a plain torch loop over models and steps, on the processor.

    python benchmarks/network_clouds.py [mlp wide batchnorm cnn] [--rounds 3] [--threads 1] [--dtype float32]
                                        [--seconds 2] [--compile]

Every candidate takes the same minibatches, and must end where the loop ends; in each round each one runs for about
``--seconds``, its start included, and a time is that of one step of all replicas. The table gives medians over rounds
and how often a candidate goes into the loop; the goals are 10 for 256 small MLPs and .9 for convolutions, on one core.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import timing

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before torch; --threads sets torch's

import numpy as np
import torch
from torch import nn

from sgdphys import SGD
from sgdphys.kernels.philox import key_of
from sgdphys.network import Network, train
from sgdphys.network.clouds.indices import IndexStream

LR = 0.05
SAMPLES = 512


@dataclass(frozen=True)
class Problem:
    """So many classifiers of ten classes with so many samples in a minibatch."""

    title: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    replicas: int
    batch: int


def _convolution() -> nn.Module:
    first = (nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*first, nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


def _layers(*widths: int, norm: bool = False) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


PROBLEMS = {
    "mlp": Problem("MLP 2-16-16-10, 256 replicas, batches of 16", lambda: _layers(2, 16, 16, 10), (2,), 256, 16),
    "wide": Problem("MLP 784-64-64-10, 32 replicas, batches of 32", lambda: _layers(784, 64, 64, 10), (784,), 32, 32),
    "batchnorm": Problem(
        "MLP 20-16-16-10 with batch normalisation, 64 replicas, batches of 16",
        lambda: _layers(20, 16, 16, 10, norm=True),
        (20,),
        64,
        16,
    ),
    "cnn": Problem("CNN of 8 and 16 channels on 28x28, 8 replicas, batches of 32", _convolution, (1, 28, 28), 8, 32),
}


class Candidates:
    """The ways to train the cloud of a problem; each returns the final weights (replica, d)."""

    def __init__(self, problem: Problem, dtype: torch.dtype, threads: int) -> None:
        self.problem, self.dtype, self.threads = problem, dtype, threads
        rng = np.random.default_rng(0)
        self.data = rng.normal(size=(SAMPLES, *problem.shape)), rng.integers(10, size=SAMPLES)
        torch.manual_seed(0)
        self.model = problem.make()
        self.network = Network(self.model, nn.CrossEntropyLoss(), self.data, dtype=dtype)

    def plain(self, steps: int) -> np.ndarray:
        """Train as one writes it by hand: models and optimisers of their own, one after the other."""
        problem = self.problem
        inputs, labels = torch.as_tensor(self.data[0]).to(self.dtype), torch.as_tensor(self.data[1])
        stream = IndexStream(key_of(0), SAMPLES, problem.batch, "replacement", torch.device("cpu"))
        indices = stream.draw(0, steps, 0, problem.replicas)
        loss, last = nn.CrossEntropyLoss(), []
        for replica in range(problem.replicas):
            model = problem.make().to(self.dtype)
            model.load_state_dict(self.model.state_dict())
            optimiser = torch.optim.SGD(model.parameters(), lr=LR)
            for rows in indices[:, replica]:
                optimiser.zero_grad()
                loss(model(inputs[rows]), labels[rows]).backward()
                optimiser.step()
            last.append(nn.utils.parameters_to_vector(model.parameters()).detach().numpy())
        return np.stack(last)

    def ours(self, engine: str) -> Callable[[int], np.ndarray]:
        """Return how an engine of sgdphys trains."""

        def run(steps: int) -> np.ndarray:
            sgd = SGD(LR, self.problem.batch)
            cloud = train(
                self.network, sgd, n_replicas=self.problem.replicas, n_steps=steps, save_at=1, engine=engine,
                threads=self.threads, compile=engine == "compiled",
            )  # fmt: skip
            return np.asarray(cloud["position"].values[-1])

        return run


def measure(run: Callable[[int], np.ndarray], seconds: float) -> tuple[int, float]:
    """Return a number of steps that takes about so many seconds, and the time of a step in a short run."""
    run(2)
    begin = time.perf_counter()
    run(8)
    each = (time.perf_counter() - begin) / 8
    return max(8, int(seconds / each)), each


def compare(problem: Problem, arguments: argparse.Namespace) -> None:
    """Print the table of a problem."""
    candidates = Candidates(problem, getattr(torch, arguments.dtype), arguments.threads)
    names = ["vectorised", "loop", "auto", *(["compiled"] if arguments.compile else [])]
    runs = {"plain loop": candidates.plain, **{name: candidates.ours(name) for name in names}}
    reference = candidates.plain(6)
    for name, run in runs.items():
        apart = float(np.abs(run(6) - reference).max())
        if apart > (1e-12 if arguments.dtype == "float64" else 1e-5):
            raise RuntimeError(f"{name} ends {apart:.2g} away from the plain loop")
    steps = {name: measure(run, arguments.seconds)[0] for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run(steps[name])
            times[name].append((time.perf_counter() - begin) / steps[name])
    print(f"\n{problem.title}\n\n| candidate | ms per step of all | plain loop / it |\n|---|---|---|")
    for name, own in times.items():
        ratio = statistics.median(plain / each for plain, each in zip(times["plain loop"], own, strict=True))
        print(f"| {name} | {1e3 * statistics.median(own):.3g} | {ratio:.3g} |", flush=True)


def main(given: list[str] | None = None) -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", choices=[[], *PROBLEMS], metavar="problem", help=", ".join(PROBLEMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--compile", action="store_true", help="also compiled by torch, a minute or two to begin with")
    arguments = parser.parse_args(given)
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.dtype}, {arguments.threads} of {timing.threads()} threads")
    for name in arguments.problems or PROBLEMS:
        compare(PROBLEMS[name], arguments)


if __name__ == "__main__":
    main()
