"""Networks: their sources, specifications, loading, and embeddings of images."""
