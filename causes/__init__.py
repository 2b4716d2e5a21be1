"""What moves networks: where they look, what a change of one property does, why a wrong car is near, what was learned."""
