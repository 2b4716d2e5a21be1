"""Losses, miners, batch samplers and regularisation of Roth et al."""
