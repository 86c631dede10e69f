"""Finds settings.

grouping.py  which tasks should share a trunk, estimated from one short joint run
"""
