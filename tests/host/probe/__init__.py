"""A plugin that does what Panoptic's plugins may do, and shows what the host makes of it."""

from .plugin import Probe as plugin_class

__all__ = ["plugin_class"]
