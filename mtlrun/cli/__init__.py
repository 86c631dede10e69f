"""The command line: words in, exit status out. One module for each sub-command."""
