"""What is done to arrays, and nothing else: no file, no model, no runtime."""
