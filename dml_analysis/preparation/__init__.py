"""Getting the datasets into place."""
