"""Real networks: loss, gradient noise and curvature at a point, clouds of replicas under real SGD, and the twin.

The only part of the package that imports torch.
"""

from sgdphys.network.clouds.dynamics import (
    GaussianDescent,
    GradientDescent,
    LangevinDescent,
    MinibatchDescent,
    VarianceAmplifiedDescent,
)
from sgdphys.network.clouds.selection import replicas_of
from sgdphys.network.clouds.training import train
from sgdphys.network.curvature.hessian import Curvature
from sgdphys.network.curvature.lanczos import Eigenpairs, leading_eigenpairs
from sgdphys.network.curvature.symmetric_operator import GivenOperator, SymmetricOperator
from sgdphys.network.examples import digits_network, image_network
from sgdphys.network.noise.batch_noise import BatchNoise
from sgdphys.network.noise.gradient_noise import GradientNoise
from sgdphys.network.problem import Network
from sgdphys.network.recording.bases import named_basis
from sgdphys.network.recording.recorder import Recorder
from sgdphys.network.recording.replays import replay
from sgdphys.network.recording.settings import Recording
from sgdphys.network.twins.anharmonic import AnharmonicTwin
from sgdphys.network.twins.full_space import FullTwin
from sgdphys.network.twins.last_layer import LastLayerTwin
from sgdphys.network.twins.quadratic import Twin

__all__ = [
    "AnharmonicTwin",
    "BatchNoise",
    "Curvature",
    "Eigenpairs",
    "FullTwin",
    "GaussianDescent",
    "GivenOperator",
    "GradientDescent",
    "GradientNoise",
    "LangevinDescent",
    "LastLayerTwin",
    "MinibatchDescent",
    "Network",
    "Recorder",
    "Recording",
    "SymmetricOperator",
    "Twin",
    "VarianceAmplifiedDescent",
    "digits_network",
    "image_network",
    "leading_eigenpairs",
    "named_basis",
    "replay",
    "replicas_of",
    "train",
]
