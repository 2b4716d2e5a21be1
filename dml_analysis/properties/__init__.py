"""How embeddings of rendered cars cluster by each property: Tables 1, 5, 6, Figures 3-4."""
