"""The server: its page, its API, and the folder that it watches."""
