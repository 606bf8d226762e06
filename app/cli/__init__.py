"""What dev.py and operators call.

A module here that defines `main(argv)` is a command: `export_journal.py` is `python3 dev.py export-journal`,
and the first line of its docstring is its line in the help. All other modules serve the commands.
"""
