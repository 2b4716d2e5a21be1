"""Rendered cars. Runs in Blender's Python: standard library, numpy and bpy only."""
