"""The shapes of bodies, queries and answers: pydantic models, one file a noun.

Inside of the product there are frozen dataclasses; nothing below app/api imports these.
"""
