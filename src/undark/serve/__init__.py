"""`undark serve`: a page to drop photos on, and an HTTP API for programs."""
