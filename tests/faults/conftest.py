"""The real Panoptic of the tests of the host."""

from ..host.conftest import panoptic, start_panoptic

__all__ = ["panoptic", "start_panoptic"]
