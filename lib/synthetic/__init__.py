"""Generated pictures whose labels are exact: `draw` of each module or folder makes one picture and its truth."""
