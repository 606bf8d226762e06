"""The scheduler: its leader, its duties, and the test clock."""
