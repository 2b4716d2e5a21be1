"""Networks: where they come from, how they are loaded, what they give."""
