"""The recipes, played against a whole running system."""
