"""noises."""
