"""Metadata: EXIF blocks and the tags they are made of, XMP packets, colour profiles."""
