"""Training data: sources, splits, synthetic darkness, and the batch stream."""
