"""Losses, miners, batch samplers and the regularisation of Roth et al."""
