"""Functions from a Dataset to a Dataset; they do not ask whether it came from particles, a grid or a real network."""

from sgdphys.analysis.broken_balance import antisymmetric_correlations, area_rates
from sgdphys.analysis.comparison import compare
from sgdphys.analysis.drift_diffusion_estimates import drift_and_diffusion
from sgdphys.analysis.entropies import entropy
from sgdphys.analysis.entropy_productions import entropy_production
from sgdphys.analysis.equilibration_times import equilibration
from sgdphys.analysis.flatness_measures import flatness
from sgdphys.analysis.fluctuation_dissipation_relations import fluctuation_dissipation
from sgdphys.analysis.fluctuation_symmetries import fluctuation_symmetry
from sgdphys.analysis.fluctuation_theorems import hatano_sasa, integral_fluctuation, jarzynski
from sgdphys.analysis.free_energies import free_energy, relative_entropy
from sgdphys.analysis.gradient_noise_moments import noise_moments
from sgdphys.analysis.gradient_noise_scales import fastest_step, noise_scale
from sgdphys.analysis.h_theorem_monitors import h_theorem
from sgdphys.analysis.held_out_prediction import held_out
from sgdphys.analysis.held_out_spectra import cross_validated_spectrum
from sgdphys.analysis.histograms import histogram
from sgdphys.analysis.kernel_densities import kernel_density
from sgdphys.analysis.linear_drifts import linear_drift
from sgdphys.analysis.path_entropies import entropy_production_weight
from sgdphys.analysis.path_works import path_work
from sgdphys.analysis.phase_spaces import phase_space
from sgdphys.analysis.potential_distances import potential_distance
from sgdphys.analysis.potentials import potential
from sgdphys.analysis.probability_currents import currents
from sgdphys.analysis.projections import project
from sgdphys.analysis.quadratic_potentials import stationary_energies, stationary_energy
from sgdphys.analysis.sketched_paths import path_principal_components, sketched_displacement
from sgdphys.analysis.spectrum_ranks import noise_ranks
from sgdphys.analysis.tail_indices import tail_index
from sgdphys.analysis.total_variations import total_variation
from sgdphys.analysis.uncertainty_relations import uncertainty_ratio

__all__ = [
    "antisymmetric_correlations", "area_rates", "compare", "cross_validated_spectrum", "currents",
    "drift_and_diffusion", "entropy", "entropy_production", "entropy_production_weight", "equilibration",
    "fastest_step", "flatness", "fluctuation_dissipation", "fluctuation_symmetry", "free_energy", "h_theorem",
    "hatano_sasa", "held_out", "histogram", "integral_fluctuation", "jarzynski", "kernel_density", "linear_drift",
    "noise_moments", "noise_ranks", "noise_scale", "path_principal_components", "path_work", "phase_space", "potential",
    "potential_distance", "project", "relative_entropy", "sketched_displacement", "stationary_energies",
    "stationary_energy", "tail_index", "total_variation", "uncertainty_ratio",
]  # fmt: skip
