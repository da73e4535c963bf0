"""undark."""
