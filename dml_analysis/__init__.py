"""Similarity of what deep metric learning losses learn: metrics, networks, training, and the analyses of Kobs et al. and Roth et al."""
