"""The `fakesweep` command: parse, call one function, print."""
