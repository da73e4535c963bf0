"""Training data: sources, splits, synthetic darkness, and the draws of each step."""
