"""The command `wsl`."""
