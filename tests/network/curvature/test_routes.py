import logging

import pytest
import torch

from sgdphys.network.curvature.routes import Routes, backward_blocks


def refuse(reason):
    def product(columns):
        raise RuntimeError(f"{reason}\nand much more")

    return product


def test_the_first_route_that_runs_is_taken_and_logged(caplog):
    routes = Routes({"reverse": refuse("not implemented for this layer"), "forward": lambda V: 2 * V}, "auto")
    with caplog.at_level(logging.INFO, "sgdphys.network.curvature"):
        assert torch.equal(routes(torch.ones(3, 1)), 2 * torch.ones(3, 1))
    assert routes.taken == "forward"
    assert "route reverse does not run (reverse: not implemented for this layer)" in caplog.text
    assert "products by route forward" in caplog.text
    caplog.clear()
    routes(torch.ones(3, 1))
    assert not caplog.text


def test_where_no_route_runs_each_reason_is_told():
    routes = Routes({"reverse": refuse("no"), "forward": refuse("never")}, "auto")
    with pytest.raises(RuntimeError, match="no route gives second derivatives of this model; reverse: no; forward: n"):
        routes(torch.ones(3, 1))


def test_a_full_memory_is_no_reason_for_another_route():
    def full(columns):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        Routes({"reverse": full, "forward": lambda V: V}, "auto")(torch.ones(3, 1))


@pytest.mark.parametrize("together", [True, False])
def test_backward_passes_of_blocks(together):
    x, unused = (torch.arange(1.0, 4.0, requires_grad=True) for _ in range(2))
    squares, fixed = x**2, torch.ones(2)
    w, any_w = torch.tensor([[1.0, 0, 0], [0, 1, 1]]), torch.ones(2, 2)
    along, none = backward_blocks([squares, fixed], [x, unused], [w, any_w], together=together)
    assert torch.equal(along, torch.tensor([[2.0, 0, 0], [0, 4, 6]]))
    assert torch.equal(none, torch.zeros(2, 3))
    assert torch.equal(backward_blocks([fixed], [x], [any_w], together=together)[0], torch.zeros(2, 3))
