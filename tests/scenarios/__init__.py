"""Scenarios that read aloud: kill, run until, expect."""
