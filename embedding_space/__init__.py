"""What embedding spaces look like: density, spectral decay, and what they go with (Roth et al., ICML 2020)."""
