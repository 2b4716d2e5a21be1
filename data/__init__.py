"""What is on disk as input: datasets and images, where checkpoints are, the preparation of downloads, the renderer."""
