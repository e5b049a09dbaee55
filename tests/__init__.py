"""The tests mirror the package; scenarios, golden data, notebooks and browser stand beside."""
