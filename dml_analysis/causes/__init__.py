"""Where networks look, and what moves embeddings."""
