"""The renderer of the cars, which runs in Blender's Python with few other packages."""
