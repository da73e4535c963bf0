"""The engine: a card's graph run on a Photo of any size, on whatever runtime is there."""
