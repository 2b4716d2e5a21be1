"""What all stages share; README.md beside this file has the words and says how a result comes to be."""
