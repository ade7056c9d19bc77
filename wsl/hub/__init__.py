"""Models, members, zoos and runs on the Hugging Face Hub."""
