"""What the engine costs beyond its steps: time of a save and of a call, and memory beside the result."""

import json
import subprocess
import sys
import time

import pytest

import sgdphys as sp

PARTICLES, SAVES = 10_000, 100
STORED_RULE = 1.3
MORE_BYTES = 100e6

MEASURE = """
import json, resource, sys
import sgdphys as sp

options = json.loads(sys.argv[1])
unit = 1 if sys.platform == "darwin" else 1024

def peak():
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def run(n_particles):
    more = dict(options)
    if more.pop("observed", False):
        more["observers"] = [sp.observers.Moments(at=3)]
    dynamics = {"temperature": 0.1, "dt": 0.01}
    if more.pop("momentum", False):
        dynamics = {"noise": sp.noises.Isotropic(1.0), "sgd": sp.SGD(lr=0.01, batch_size=10, momentum=0.9)}
    return sp.simulate(
        sp.landscapes.DoubleWell(), **dynamics, n_particles=n_particles, start=-1.0, n_steps=19, progress=False, **more
    )

run(100)
before = peak()
cloud = run(500_000)
print(json.dumps([cloud.nbytes, peak() - before]))
"""


def seconds(**options):
    started = time.perf_counter()
    sp.simulate(
        sp.landscapes.DoubleWell(), temperature=0.1, dt=0.01, n_steps=SAVES, start=-1.0, progress=False, **options
    )
    return time.perf_counter() - started


def test_a_save_of_ten_thousand_particles_takes_less_than_a_millisecond():
    seconds(n_particles=PARTICLES, save_at=0)
    with_saves = min(seconds(n_particles=PARTICLES, save_at=SAVES + 1) for _ in range(5))
    without = min(seconds(n_particles=PARTICLES, save_at=0) for _ in range(5))
    assert (with_saves - without) / SAVES < 1e-3


def test_a_call_takes_less_than_a_tenth_of_a_second():
    seconds(n_particles=1, save_at=1)
    assert min(seconds(n_particles=1, save_at=1) for _ in range(5)) < 0.1


@pytest.mark.parametrize(
    "options",
    [
        {"save_at": 20},
        {"save_at": 20, "observed": True},
        {"save_at": 20, "storage": "float32"},
        {"save_at": 20, "record_potential": True},
        {"save_at": 20, "momentum": True},
        {"save_at": 0, "observed": True},
    ],
    ids=["frames", "frames and observers", "float32", "potential", "momentum", "observers only"],
)
def test_peak_memory_is_the_result_and_little_more(options):
    command = [sys.executable, "-c", MEASURE, json.dumps(options)]
    stored, peak = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert stored >= 500_000 * (20 * 4 if options["save_at"] else 1)
    assert peak <= STORED_RULE * stored + MORE_BYTES
