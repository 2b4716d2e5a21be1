"""Atomic writers of files, and readers that name in one line what is wrong with a file."""
