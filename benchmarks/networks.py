"""Gradient noise and curvature of classifiers of real images, beside the published figures; writes networks.md.

    SGDPHYS_DATA=... python benchmarks/networks.py [--only mnist-mlp ...] [--quick] [--without-verdict] [--record]

Each network is measured at the minimum of its regularised loss, and at a point after some epochs of plain SGD with
Nesterov's momentum 0.9, which is no minimum. There: eigenvalues of the centred per-sample covariance C of the gradients
over the whole training set, their rank at named thresholds, and how C lies to the Hessian H; at the minimum the verdict
of ``network.validity`` for the settings named. ``--quick`` takes 200 images and few epochs, ``--record`` replaces
``networks.md`` after each network, one thread is used, the image sets are found through ``SGDPHYS_DATA``.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timing

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import numpy as np
import torch
from cases.network_reports import document, point_cells

import sgdphys as sp
from sgdphys.network import image_network

RESULT = Path(__file__).parent / "networks.md"


@dataclass(frozen=True)
class Case:
    """A network, its data, how it is trained, and the SGD that is judged, with the size of the clouds for that."""

    title: str
    images: str
    kind: str
    n_train: int
    size: int = 14
    hidden: int = 64
    tolerance: float = 1e-6
    epochs: int = 20
    lr: float = 0.05
    batch_size: int = 32
    weight_decay: float = 5e-3
    judged_lr: float = 0.05
    judged: tuple[tuple[str, Any], ...] = (("n_replicas", 64), ("rank", 10), ("n_steps", 900), ("svag", (1, 2)))


_CONVOLUTION = {"kind": "convolution", "tolerance": 1e-3, "epochs": 10, "judged_lr": 0.02}
_SHORT = (("rank", 5), ("n_steps", 450), ("svag", ()))
_LONG = (("n_replicas", 64), ("rank", 10), ("n_steps", 1500), ("svag", (1, 2)))
_MANY, _FEW = (("n_replicas", 64), *_SHORT), (("n_replicas", 32), *_SHORT)
CASES = {
    "mnist-mlp": Case("MLP 196-64-10, MNIST 14x14", "mnist", "perceptron", 2000),
    "fashion-mlp": Case("MLP 196-64-10, Fashion-MNIST 14x14", "fashion-mnist", "perceptron", 2000),
    "mnist-cnn": Case("CNN of 8, 16 channels, MNIST 14x14", "mnist", n_train=1000, judged=_MANY, **_CONVOLUTION),
    "cifar-cnn": Case(
        "CNN of 8, 16 channels, CIFAR-10 part", "cifar10", n_train=400, lr=0.005, judged=_FEW, **_CONVOLUTION
    ),
    "mnist-mlp-7": Case("MLP 49-64-10, MNIST 7x7", "mnist", "perceptron", 5000, size=7, judged=_LONG),
}


def network_of(case: Case, dtype: torch.dtype = torch.float64) -> Any:
    """Return the untrained network."""
    return image_network(
        case.images,
        case.kind,
        hidden=case.hidden,
        n_train=case.n_train,
        size=case.size,
        weight_decay=case.weight_decay,
        dtype=dtype,
    )


def trained(case: Case, network: Any) -> Any:
    """Return the network after the epochs of shuffled SGD with Nesterov's momentum."""
    sgd = sp.SGD(lr=case.lr, batch_size=case.batch_size, momentum=0.9, nesterov=True, sampling="shuffle")
    steps = case.epochs * (case.n_train // case.batch_size)
    cloud = sp.train(network, sgd, n_replicas=1, n_steps=steps, save_at=1, progress=False, threads=1)
    return network.at(cloud["position"].values[-1, 0])


def measure(case: Case, network: Any, directions: int, probes: int) -> dict[str, Any]:
    """Return the numbers at a point."""
    noise, curvature = network.noise(), network.curvature()
    ranks = sp.analysis.noise_ranks(noise.spectrum(), network.dim, relative=(1e-3,), shares=(0.9, 0.99))
    single = network_of(case, torch.float32).at(network.parameters).noise()
    in_single = sp.analysis.noise_ranks(single.spectrum(), network.dim)
    alignment = curvature.alignment(noise, k=directions, n_probes=probes)
    inputs, labels = network.objective.inputs, network.objective.targets
    right = np.asarray(network.outputs(inputs.numpy())).argmax(axis=-1).ravel() == labels.numpy()
    return {
        "dim": network.dim,
        "n_samples": network.n_samples,
        "loss": network.loss_value,
        "gradient": network.residual_gradient_norm,
        "accuracy": float(right.mean()),
        "ranks": ranks,
        "rank_in_float32": int(in_single["rank"].sel(threshold="float32")),
        "alignment": alignment,
        "sharpness": float(alignment["eigenvalue"][0]),
    }


def judged(case: Case, network: Any, options: dict[str, Any]) -> Any:
    """Return the verdict on the settings of a case at a minimum."""
    sgd = sp.SGD(lr=case.judged_lr, batch_size=case.batch_size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*minimum", RuntimeWarning)  # the gradient norm is in the table
        return network.validity(sgd, threads=1, progress=False, **options)


def results_of(case: Case, quick: bool, verdict: bool) -> dict[str, Any]:
    """Return everything about a case: numbers at both points, the verdict, seconds."""
    started, accuracy = (
        time.perf_counter(),
        {"directions": 3, "probes": 5} if quick else {"directions": 10, "probes": 40},
    )
    start = network_of(case)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the minimum was not reached")
        lowest = start.minimum(tolerance=case.tolerance, max_iterations=20 if quick else 20_000)
    say(f"minimum after {time.perf_counter() - started:.0f} s")
    points = {
        "minimum": measure(case, lowest, **accuracy),
        f"{case.epochs} epochs of SGD": measure(case, trained(case, start), **accuracy),
    }
    say(f"both points measured after {time.perf_counter() - started:.0f} s")
    options = dict(case.judged) | ({"n_replicas": 8, "n_steps": 60, "svag": (), "rank": 3} if quick else {})
    judgement = judged(case, lowest, options) if verdict else None
    seconds = time.perf_counter() - started
    return {"case": case, "points": points, "verdict": judgement, "options": options, "seconds": seconds}


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def quick_version(case: Case) -> Case:
    smaller = {"n_train": 200, "hidden": 8, "size": 7} if case.kind == "perceptron" else {"n_train": 64}
    return replace(case, title=f"{case.title}, smaller", epochs=2, **smaller)


def heading(command: str) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{platform.system()} on {platform.machine()}, one thread of {timing.threads()} processors"
    return f"{day}, `{command}`, {machine}, Python {platform.python_version()}, torch {torch.__version__}."


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES), metavar="network")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--without-verdict", action="store_true")
    parser.add_argument("--record", action="store_true", help="replace networks.md")
    arguments = parser.parse_args(given)
    if not os.environ.get("SGDPHYS_DATA"):
        print("SGDPHYS_DATA is not set, so there are no images: nothing is measured")
        return
    torch.set_num_threads(1)
    command = " ".join(["python benchmarks/networks.py", *(sys.argv[1:] if given is None else given)])
    results = []
    for name in arguments.only:
        case = quick_version(CASES[name]) if arguments.quick else CASES[name]
        say(case.title)
        results.append(results_of(case, arguments.quick, not arguments.without_verdict))
        for point, numbers in results[-1]["points"].items():
            print(f"{case.title}, {point}: " + "; ".join(point_cells(numbers)), flush=True)
        if arguments.record:
            RESULT.write_text(document(heading(command), results), encoding="utf-8")
    if not arguments.record:
        print(document(heading(command), results))


if __name__ == "__main__":
    main()
