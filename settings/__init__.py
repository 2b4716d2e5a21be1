"""Settings files and their reader."""
