"""All log files of a node, read as one: files, their index, one time order, search.

`segment` is one file, `stream` the rotated files of one log, `index` the thread that reads them,
`timeline` what is known of all of them at one moment, `pattern` and `search` find lines in it.
Nothing here draws, and nothing is ever written.
"""
