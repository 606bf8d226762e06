"""The pure core: rules in, decisions out. No input or output, no clock; time and ids are arguments."""
