"""The graph: one HTTP ingress, one pipeline, and a Ray Serve deployment for each stage. `app.py` wires them."""
