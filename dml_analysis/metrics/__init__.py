"""The metrics: pure functions that take and return arrays."""
