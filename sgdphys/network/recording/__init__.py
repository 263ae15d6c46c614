"""Recording of long runs at a cost that does not grow with what is kept: scalars, sketches, projections, anchors."""
