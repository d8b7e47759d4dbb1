"""Every setting with its unit, default and meaning; how settings are read, merged and explained."""
