"""The roof: what both analyses gave, beside the paper, in one document, and named for a person to open."""
