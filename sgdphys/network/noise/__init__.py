"""The noise of minibatch gradients: its covariance, its spectrum, its scale and its tails."""
