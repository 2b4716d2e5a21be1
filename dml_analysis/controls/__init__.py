"""Baselines, noise ceilings, permutation nulls, intervals and tests."""
