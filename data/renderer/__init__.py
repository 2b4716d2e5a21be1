"""The generator of rendered cars, with Blender, and the check of what it renders."""
