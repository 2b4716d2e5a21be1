"""The analysis on property level: rendered cars, NR-Precision, Table 6, Figures 3 and 4."""
