"""What the services share: the published language, the shell they run in, and the tools around them."""
