"""The report of an evaluation: its numbers, its tables, its HTML page, its grids of images."""
