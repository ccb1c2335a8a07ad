"""Clustering, arrays in and arrays out: no host, no files, no pictures."""
