"""The pictures: scenes that views compose, films of a run, and the player that shows them.

A view is a pure function from frozen snapshots to a `Scene` (law 8); a camera runs it after each
event and `encode` packs the scenes into a film; `Player` plays a film in the browser. Only
`static/tokens.json` and `static/looks.css` know colours, only the glyph helpers know units.
"""
