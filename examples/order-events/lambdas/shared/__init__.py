"""The domain. This file keeps another package of this name from being imported instead."""
