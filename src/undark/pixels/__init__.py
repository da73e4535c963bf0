"""What is done to pixels: pure functions on arrays."""
