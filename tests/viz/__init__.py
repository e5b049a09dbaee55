"""Scenes, films, static pictures and the player's Python side."""
