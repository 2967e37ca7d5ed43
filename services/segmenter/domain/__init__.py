"""How a rule is written, judged, and when its truth can next change."""
