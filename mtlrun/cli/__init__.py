"""The command line, with one file per sub-command. Importing it does not import torch."""
