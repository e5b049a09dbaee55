"""The control plane: a controller that decides in records, and the image that all fold of them."""
