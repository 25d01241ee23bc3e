"""What each list of the API is: its rows, its rules, its rendering."""
