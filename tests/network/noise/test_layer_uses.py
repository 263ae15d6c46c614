import pytest
import torch

from sgdphys.network.noise import layer_uses
from sgdphys.network.noise.layer_uses import BiasUse, ConvolutionUse, DirectUse, EmbeddingUse, LinearUse, pieces_of

generator = torch.Generator().manual_seed(0)


def random(*shape):
    """Return normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_a_matrix_sums_over_positions():
    use = LinearUse(
        torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[[1.0, 0.0, 5.0], [0.0, 1.0, 1.0]]])
    )  # one sample, two positions, two features, three units
    assert use.rows(0, 3).tolist() == [[[1, 2], [3, 4], [8, 14]]]
    assert use.rows(1, 2).tolist() == [[[3, 4]]]
    assert BiasUse(use.slopes).rows(1, 3).tolist() == [[1, 6]]
    assert use.likeness(slice(0, 1), use).tolist() == [[5, 11], [11, 25]]


def test_a_table_adds_the_slopes_of_equal_tokens_and_leaves_out_negative_ones():
    use = EmbeddingUse(torch.tensor([[2, 2, -1], [0, -1, -1]]), torch.arange(6.0).view(2, 3, 1) + 1)
    assert use.rows(0, 3)[..., 0].tolist() == [[0, 0, 3], [4, 0, 0]]
    assert use.rows(2, 3)[..., 0].tolist() == [[3], [0]]
    assert use.likeness(slice(0, 1), use).tolist() == [[1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    assert use.likeness(slice(1, 2), use.until(1)).tolist() == [[0, 0, 0]] * 3


def test_gradients_at_hand_are_cut():
    assert DirectUse(torch.tensor([[1.0, 2.0, 3.0]])).rows(1, 3).tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("kind", "image", "options"),
    [
        (torch.nn.Conv1d, (9,), {"kernel_size": 3, "stride": 2, "padding": 3, "dilation": 2}),
        (torch.nn.Conv2d, (5, 7), {"kernel_size": (2, 3), "dilation": (3, 2)}),
        (torch.nn.Conv2d, (5, 7), {"kernel_size": (3, 2), "stride": (1, 3), "padding": (2, 0)}),
        (torch.nn.Conv2d, (5, 7), {"kernel_size": 2, "padding": (0, 1), "padding_mode": "reflect"}),
        (torch.nn.Conv3d, (3, 4, 5), {"kernel_size": (2, 1, 3), "stride": (1, 2, 1), "padding": (0, 1, 2)}),
    ],
    ids=["1d", "dilation by axis", "stride and padding by axis", "reflected", "3d"],
)
def test_every_axis_of_a_convolution_has_its_own_steps(kind, image, options, monkeypatch):
    layer = kind(4, 6, groups=2, dtype=torch.float64, **options)
    inputs = random(3, 2, 4, *image)  # three samples of two images
    outputs = layer(inputs.flatten(0, 1)).unflatten(0, (3, 2))
    slopes = random(*outputs.shape)
    exact = [torch.autograd.grad(layer(x), layer.weight, b)[0] for x, b in zip(inputs, slopes, strict=True)]
    use = ConvolutionUse(layer, inputs, slopes)
    torch.testing.assert_close(use.rows(0, 6), torch.stack(exact))
    monkeypatch.setattr(layer_uses, "BLOCK_BYTES", 1)  # a sample at a time
    torch.testing.assert_close(use.rows(2, 5), torch.stack(exact)[:, 2:5])


def test_pieces_are_consecutive(monkeypatch):
    monkeypatch.setattr(layer_uses, "BLOCK_BYTES", 20)
    assert list(pieces_of(7, 10)) == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    assert list(pieces_of(2, 1000)) == [slice(0, 1), slice(1, 2)]
