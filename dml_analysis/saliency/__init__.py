"""Saliency maps of all networks, compared pair by pair: Tables 2-4, Figure 2."""
