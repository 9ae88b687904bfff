"""Pictures read and checked, geometry, augmentation: pure functions of pixels and points."""
