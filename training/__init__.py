"""Make the next model: data sets, the CNN, fit, evaluate, calibrate, publish, promote."""
