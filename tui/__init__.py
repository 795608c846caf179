"""The console. What Textual reads from the environment once, as it is imported, is settled here.

Nothing moves by itself. A frame is drawn within 5 ms of what caused it, not within 17; how often is
drawn at all, the console's tick and `tui.link` say. A lone Escape is known to be one after 40 ms,
not 100: whoever sits behind a slower line sets ESCDELAY.
"""

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
os.environ.setdefault("TEXTUAL_FPS", "200")
os.environ.setdefault("ESCDELAY", "40")
