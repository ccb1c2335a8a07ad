"""Pixels in, arrays out: the pictures, the models and their weights."""
