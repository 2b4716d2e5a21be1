"""Density and spectral decay of embedding spaces, and what goes with them (Roth et al.)."""
