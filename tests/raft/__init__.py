"""The metadata quorum: one voter and those who follow it, on real logs."""
