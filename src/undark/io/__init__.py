"""Photos in, photos out: formats, camera RAW, safe writing, and which file goes where."""
