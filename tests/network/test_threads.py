import torch

from sgdphys.network.threads import threads_inside


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    try:
        with threads_inside(1):
            assert torch.get_num_threads() == 1
            raise RuntimeError
    except RuntimeError:
        assert torch.get_num_threads() == before


def test_a_small_network_is_measured_on_one_thread(perceptron, monkeypatch):
    used = []
    original = type(perceptron.objective).potential

    def spy(self, points):
        used.append(torch.get_num_threads())
        return original(self, points)

    monkeypatch.setattr(type(perceptron.objective), "potential", spy)
    perceptron.potential()
    assert used == [1]
