"""What every room may use: settings, parallel work, widgets."""
