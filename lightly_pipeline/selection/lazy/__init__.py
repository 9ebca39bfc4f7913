"""How near every row is to its nearest pick, brought up to date only where that can matter."""
