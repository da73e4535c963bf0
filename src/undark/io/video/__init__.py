"""Videos in and out: files, numbered images, animations, cameras and streams."""
