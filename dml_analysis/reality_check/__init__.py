"""Inputs, accuracies and trainings."""
