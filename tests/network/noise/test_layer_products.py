import pytest
import torch

from sgdphys.network.noise.layer_products import products, squared_norms, sum_of_squares, weighted_sum
from sgdphys.network.noise.layer_uses import ConvolutionUse, EmbeddingUse, LinearUse

generator = torch.Generator().manual_seed(0)


def random(*shape):
    """Return normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def linear(n, positions):
    """Return a use of a matrix (40, 30) with its gradients."""
    inputs, slopes = random(n, positions, 30), random(n, positions, 40)
    return LinearUse(inputs, slopes), torch.einsum("npo,npi->noi", slopes, inputs)


def table(n, positions):
    """Return a use of a table (20, 30), some tokens being padding, with its gradients."""
    tokens, slopes = torch.randint(-1, 20, (n, positions), generator=generator), random(n, positions, 30)
    gradients = torch.zeros(n, 20, 30, dtype=torch.float64)
    for i in range(n):
        for p in range(positions):
            if tokens[i, p] >= 0:
                gradients[i, tokens[i, p]] += slopes[i, p]
    return EmbeddingUse(tokens, slopes), gradients


@pytest.mark.parametrize("make", [linear, table])
@pytest.mark.parametrize("positions", [1, 2, 40])  # by positions, and by rows where there are many
@pytest.mark.parametrize("n", [5, 70])  # from 64 samples on by halves
def test_scalar_products_are_those_of_the_gradients(make, positions, n):
    uses, gradients = zip(*(make(n, positions) for _ in range(2)), strict=True)
    total, shape = sum(gradients), gradients[0].shape[1:]  # a parameter that is used twice
    flat, same = total.flatten(1), list(uses)
    torch.testing.assert_close(products(same, same, shape), flat @ flat.T)
    other, its_gradients = make(6, positions)
    torch.testing.assert_close(products(same, [other], shape), flat @ its_gradients.flatten(1).T)
    torch.testing.assert_close(squared_norms(same, shape), flat.square().sum(dim=1))
    torch.testing.assert_close(sum_of_squares(same, shape), total.square().sum(dim=0))
    weights = random(n)
    torch.testing.assert_close(weighted_sum(same, weights, shape), torch.tensordot(weights, total, 1))


@pytest.mark.parametrize("positions", [1, 40])
def test_the_bias_goes_with_its_matrix(positions):
    use, gradients = linear(7, positions)
    bias = use.slopes.sum(dim=1)
    exact = gradients.flatten(1) @ gradients.flatten(1).T + bias @ bias.T
    torch.testing.assert_close(products([use], [use], torch.Size([40, 30]), with_bias=True), exact)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_rows_of_a_convolution_are_those_of_its_gradient(groups):
    layer = torch.nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=groups, dtype=torch.float64)
    inputs, slopes = random(3, 4, 7, 7), random(3, 8, 4, 4)
    exact = [torch.autograd.grad(layer(inputs[i : i + 1]), layer.weight, slopes[i : i + 1])[0] for i in range(3)]
    use = ConvolutionUse(layer, inputs[:, None], slopes[:, None])
    for start, stop in [(0, 8), (0, 1), (3, 5), (1, 8), (7, 8)]:
        torch.testing.assert_close(use.rows(start, stop), torch.stack(exact)[:, start:stop])
