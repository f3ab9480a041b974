"""The ground floor: version, settings and the error tree. Imports nothing of the house."""
