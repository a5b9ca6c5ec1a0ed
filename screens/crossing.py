"""What the screens of one run share; it is `engine.guide`'s, as the plain prompts share it too."""

from airgap_tui.engine.guide.crossing import Crossing

__all__ = ["Crossing"]
