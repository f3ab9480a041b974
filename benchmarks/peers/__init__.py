"""What a user would write or pick instead, each a program of its own that prints one line of JSON.

`images_per_s` counts from "model loaded" to "all scores in a list or file", `start_s` from the start of the
process to "model loaded", `peak_mb` the memory of all its processes. They look at whole images, keep no
ledger, and know no bad files.
"""
