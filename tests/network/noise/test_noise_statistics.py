import numpy as np
import pytest
import xarray as xr
from naive_networks import loop_over_samples

from sgdphys.analysis.gradient_noise_moments import noise_moments
from sgdphys.analysis.gradient_noise_scales import noise_scale
from sgdphys.analysis.held_out_spectra import cross_validated_spectrum


@pytest.fixture
def far(perceptron):
    """Return the perceptron where the mean gradient is not small."""
    return perceptron.at(perceptron.parameters + 1)


def test_moments_of_the_whole_data_set_are_exact_with_weight_decay_in_the_gradient(far):
    gradients, moments = loop_over_samples(far), far.noise().moments()
    np.testing.assert_allclose(gradients.mean(axis=0), far.gradient(), atol=1e-14)
    assert far.weight_decay > 0
    assert float(moments["noise_trace"]) == pytest.approx(np.trace(np.cov(gradients.T, bias=True)), rel=1e-10)
    assert float(moments["squared_mean_gradient"]) == pytest.approx(np.sum(gradients.mean(axis=0) ** 2), rel=1e-10)


def test_the_scale_weighted_by_curvature(far):
    noise, H = far.noise(), far.curvature().dense()
    g = far.gradient()
    exact = np.trace(H @ noise.dense()) / (g @ H @ g)
    found = noise.scale(curvature=far.curvature(), n_probes=200)
    error = float(found["curvature_noise_scale_standard_error"])
    assert abs(float(found["curvature_noise_scale"]) - exact) < 4 * error < abs(exact)
    assert float(found["simple_noise_scale"]) == pytest.approx(noise.trace() / (g @ g), rel=1e-8)


def test_at_a_minimum_noise_is_infinitely_larger_than_the_gradient_of_the_regularised_loss(perceptron):
    minimum = perceptron.minimum()
    found = minimum.noise().moments()
    assert float(found["squared_mean_gradient"]) < 1e-12 * float(found["noise_trace"])
    assert np.sum((minimum.weight_decay * minimum.parameters) ** 2) > 1e-4 * float(found["noise_trace"])


def test_ranks_and_held_out_eigenvalues_come_from_the_analysis(far):
    noise = far.noise()
    assert int(noise.rank()["rank"].sel(threshold="share 0.99")) <= 29
    assert "eigenvalue" in str(noise.held_out_spectrum().data_vars)
    assert {"relative 0.01", "share 0.5"} < set(noise.rank([0.01], [0.5])["threshold"].values)


def test_statistics_of_a_subset_are_estimates_for_the_whole(far):
    noise = far.noise(n_samples=12, seed=1)
    gram = noise.gram(centred=False)
    for found, exact, other in (
        (noise.moments(), noise_moments(gram, 30), noise_moments(gram, 12)),
        (noise.scale(), noise_scale(gram, 30), noise_scale(gram, 12)),
        (noise.held_out_spectrum(), cross_validated_spectrum(gram, 30), cross_validated_spectrum(gram, 12)),
    ):
        xr.testing.assert_equal(found, exact)
        assert not found.equals(other)
    assert float(noise.moments()["noise_trace"]) == pytest.approx(noise.trace(), rel=1e-10)


@pytest.mark.parametrize("directions", ["noise", "random"])
def test_minibatches_of_bounded_gradients_have_no_heavy_tail(far, directions):
    result = far.noise().tail(n_draws=2000, batch_size=32, directions=directions, k=3, n_null=10)
    assert float(np.abs(result["tail_index_scan_z"]).max()) < 4
    assert not bool(result["stable_tail"])
    assert not bool(result["heavier_than_gaussian"])
    assert result.attrs["directions"] == directions


def test_given_directions_are_taken_and_unknown_ones_refused(far):
    assert far.noise().tail(n_draws=400, directions=np.eye(31)[:, :2], n_null=5).attrs["directions"] == "given"
    with pytest.raises(ValueError, match="directions must be 'noise', 'random' or an array"):
        far.noise().tail(directions="hessian")
