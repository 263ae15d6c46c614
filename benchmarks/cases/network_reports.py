"""Tables in Markdown of what ``networks.py`` measured, beside the figures of Chaudhari & Soatto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sgdphys.network.validity.report import table as as_text

__all__ = ["document", "point_cells"]

PUBLISHED = (  # network, d, mean and standard deviation of the eigenvalues of C, rank as a share of d
    ("small-lenet, MNIST", "13,338", "(0.3 +- 2.11)e-3", "1.8 %"),
    ("small-fc, MNIST 7x7, 64 hidden units", "", "(0.9 +- 18.5)e-3", "0.6 %"),
    ("small-allcnn, CIFAR-10", "26,982", "0.27 +- 0.84", "0.34 %"),
    ("small-allcnn, CIFAR-10 with augmentation", "26,982", "0.43 +- 1.32", "0.32 %"),
    ("small-allcnn, CIFAR-100", "26,982", "0.98 +- 2.16", "0.47 %"),
)
SPECTRUM = (
    "network", "point", "N", "d", "loss", "gradient norm", "training accuracy", "eigenvalues of C: mean +- spread",
    "rank, float64 cut", "rank, float32 cut", "the same, computed in float32", "rank, 1e-3 of the largest",
    "eigenvalues that hold 99 % of the trace", "most there can be, min(N - 1, d)", "participation ratio", "stable rank",
)  # fmt: skip
ALIGNMENT = (
    "network", "point", "tr C", "tr H", "lambda_max of H", "tr(HC)", "tr(HC) over that of isotropic noise",
    "cosine of C and H", "share of tr C along the leading directions of H",
)  # fmt: skip
WHY = """\
The shares of rank cannot be compared as they stand. What is known of the difference:

- *Precision.* The published rule, eigenvalues above lambda_max * d * epsilon, is that of NumPy's `matrix_rank`. Without
  the floating type it says nothing: at d = 13,000 the cut is 1.6e-3 of the largest eigenvalue in float32 and 3e-12 in
  float64. The columns of both cuts are from the same eigenvalues, those of a network and Gram matrix in float64;
  "computed in float32" has network, gradients and products in float32.
- *Number of samples.* C from N samples has at most N - 1 eigenvalues that are not zero, and in exact arithmetic nearly
  as many that are, so that a share of d is a statement about N: 2000 images at d = 13,000 cannot give more than 15 %,
  whatever the network. MNIST has 60,000 training images, CIFAR-10 50,000.
- *Network.* Here one hidden layer or two convolutions, tanh units, no dropout, no batch normalisation; there the
  networks of that paper, with C taken in eval mode. The same number of parameters is not the same network.
- *Point.* Here the minimum of a loss with weight decay 5e-3, and a point after some epochs of SGD with Nesterov's
  momentum 0.9 on the same loss; there points after 20, 40 and 100 % of a training with that momentum.
- *Augmentation* makes every sample a distribution, whose own spread is in C; nothing is augmented here.

The participation ratio and the stable rank need no threshold, and are what to compare between networks. Their own limit
is N too: from N samples the participation ratio is below N.
"""


def percent(rank: float, dim: int) -> str:
    return f"{int(rank)} ({100 * rank / dim:.3g} %)"


def spectrum_row(numbers: dict[str, Any]) -> list[str]:
    """Return the cells of the first table after network and point."""
    ranks, dim = numbers["ranks"], numbers["dim"]
    rank = {str(name): int(ranks["rank"].sel(threshold=name)) for name in ranks["threshold"].values}
    mean, spread = float(ranks["eigenvalue_mean"]), float(ranks["eigenvalue_standard_deviation"])
    return [
        f"{numbers['n_samples']}",
        f"{dim:,}",
        f"{numbers['loss']:.4f}",
        f"{numbers['gradient']:.1e}",
        f"{numbers['accuracy']:.3f}",
        f"{mean:.2g} +- {spread:.2g}",
        percent(rank["float64"], dim),
        percent(rank["float32"], dim),
        percent(numbers["rank_in_float32"], dim),
        percent(rank["relative 0.001"], dim),
        percent(rank["share 0.99"], dim),
        percent(min(numbers["n_samples"] - 1, dim), dim),
        f"{float(ranks['eigenvalue_participation_ratio']):.3g}",
        f"{float(ranks['stable_rank']):.3g}",
    ]


def alignment_row(numbers: dict[str, Any]) -> list[str]:
    """Return the cells of the second table after network and point, with standard errors of the probes."""
    found = numbers["alignment"]

    def with_error(name: str) -> str:
        return f"{float(found[name]):.3g} +- {float(found[f'{name}_standard_error']):.1g}"

    trace = float(numbers["ranks"]["eigenvalue_mean"]) * numbers["dim"]
    shares = [with_error(name) for name in ("escape_indicator", "escape_ratio", "alignment_cosine")]
    along = f"{100 * float(found['noise_share'].sum()):.3g} % along {found.sizes['mode']}"
    return [f"{trace:.3g}", with_error("curvature_trace"), f"{numbers['sharpness']:.3g}", *shares, along]


def point_cells(numbers: dict[str, Any]) -> Iterator[str]:
    """Yield name and value of everything at a point."""
    rows = [
        *zip(SPECTRUM[2:], spectrum_row(numbers), strict=True),
        *zip(ALIGNMENT[2:], alignment_row(numbers), strict=True),
    ]
    yield from (f"{name} {value}" for name, value in rows)


def table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def verdict_row(result: dict[str, Any]) -> list[str]:
    """Return the cells of the table of verdicts."""
    case, found = result["case"], result["verdict"]
    values = dict(zip(found["row"].values.tolist(), found["row_value"].values.tolist(), strict=True))
    stiffness, temperature = values["stiffness"], values["temperature"]
    settings = f"lr = {case.judged_lr:g}, B = {case.batch_size}"
    return [case.title, settings, f"{temperature:.3g}", f"{stiffness:.3g}", found.attrs["verdict"]]


def verdict_text(result: dict[str, Any]) -> str:
    """Return the whole verdict on a network's SGD."""
    options = ", ".join(f"{name}={value}" for name, value in result["options"].items())
    return f"### {result['case'].title}\n\n`{options}`\n\n```\n{as_text(result['verdict'])}\n```\n"


def document(heading: str, results: list[dict[str, Any]]) -> str:
    """Return the whole file."""
    points = [(one["case"].title, point, numbers) for one in results for point, numbers in one["points"].items()]
    spectra = [[title, point, *spectrum_row(numbers)] for title, point, numbers in points]
    alignments = [[title, point, *alignment_row(numbers)] for title, point, numbers in points]
    taken = ", ".join(f"{one['case'].title} {one['seconds']:.0f} s" for one in results)
    parts = [
        "# Gradient noise of classifiers of real images\n",
        f"{heading} Measuring took: {taken}.\n",
        "C is the population covariance of the per-sample gradients over all N training images, in loss^2/x^2; H the "
        "Hessian of the regularised loss, in loss/x^2. All in float64 where no other type is named.\n",
        "## Spectrum of C\n",
        table(SPECTRUM, spectra) + "\n",
        "Published, Chaudhari & Soatto 2018 (arXiv 1710.11029), over all eigenvalues:\n",
        table(("network", "d", "eigenvalues: mean +- spread", "rank over d"), [list(row) for row in PUBLISHED]) + "\n",
        WHY,
        "## Alignment of C and H\n",
        "Errors are standard errors of the random probes. Isotropic noise of the same trace has the ratio 1.\n",
        table(ALIGNMENT, alignments) + "\n",
    ]
    judged = [one for one in results if one["verdict"] is not None]
    if judged:
        heads = ("network", "plain SGD at the minimum", "T = lr/(2B), x^2/loss", "lr lambda_max", "verdict")
        parts += ["## Is this SGD a Langevin process?\n", table(heads, [verdict_row(one) for one in judged]) + "\n"]
        parts += ["What `network.validity(sgd)` measured:\n", *map(verdict_text, judged)]
    return "\n".join(parts)
