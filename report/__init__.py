"""What both analyses share on the way to the paper: table files, figure style, the list of all tables and figures."""
