"""Small networks made of Linux network namespaces, for the system tests and the demo."""
