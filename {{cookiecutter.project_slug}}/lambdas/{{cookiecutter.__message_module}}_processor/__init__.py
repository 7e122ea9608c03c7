"""A Lambda function. This file keeps another package of this name from being imported instead."""
