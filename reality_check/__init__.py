"""The networks and data of the Metric Learning Reality Check: network, checkpoints, images, losses, training."""
