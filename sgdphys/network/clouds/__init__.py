"""Many replicas of one network in training: which samples each sees, how each moves, who computes them."""
