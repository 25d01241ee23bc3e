"""What ties people to projects, places, events and each other."""
