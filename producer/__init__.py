"""Find images, record the scan, enqueue, resume."""
