"""Photos and videos in and out: formats, metadata, safe writing, and which file goes where."""
