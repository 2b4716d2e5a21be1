"""The analysis on pixel level: saliency maps, their comparison, Tables 2-4 and Figure 2."""
