"""Panoptic itself: the only folder that imports it."""
