"""The small-scale replication: what its plan asks, measured on trainings in two folds with two seeds."""
