"""The shapes that events come in, a module for each; every one is read into drafts."""
