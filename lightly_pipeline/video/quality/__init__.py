"""Numbers per frame that tell a good picture from a bad one, and how they are measured."""
