"""Images, classes and properties, and which of them are for training and for testing."""
