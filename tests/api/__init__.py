"""The HTTP layer, asked through its WSGI application on a real database."""
