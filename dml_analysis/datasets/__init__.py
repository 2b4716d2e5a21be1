"""Images, classes and properties, and their splits into training, validation and test."""
