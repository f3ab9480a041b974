"""Pixels in, scores out: decoding, views, the loaded model, its card and the registry."""
