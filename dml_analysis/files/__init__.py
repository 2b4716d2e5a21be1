"""Files that exist whole or not at all, and readers that say in one line what is wrong with a file."""
