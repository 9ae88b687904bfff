"""What goes out: pictures selected, versions that never change, archives."""
