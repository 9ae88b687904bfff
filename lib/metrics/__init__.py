"""What answers and labels are worth: numbers and figures that several tasks share."""
