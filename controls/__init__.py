"""Controls: floors, ceilings, nulls and tests beside the numbers of the analyses."""
