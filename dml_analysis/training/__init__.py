"""Training of networks by the Reality Check's protocol."""
