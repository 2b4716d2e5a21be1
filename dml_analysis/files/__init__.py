"""Files that appear complete or not at all, and readers that name what is wrong with a file in one line."""
