"""Curvature of the loss: Hessian, Gauss-Newton and Fisher operators by products, and what products tell."""
