"""What operators do about refused events: look, mend, replay, discard; one code for the command line and the API."""
