"""Tests; fake_data.py makes small stand-ins for the inputs."""
