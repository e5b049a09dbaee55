"""The player in a real browser: JupyterLab, Notebook, and pages from a file."""
