"""The networks of the Metric Learning Reality Check: checkpoints, distances, losses, accuracy, the demo's training."""
