"""Questions to trained networks: where they look, and how their features are distributed. For trials with kept weights."""
