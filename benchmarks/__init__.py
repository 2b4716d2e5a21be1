"""How fast the long parts are, beside other ways to do the same."""
