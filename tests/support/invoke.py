"""Invoke a Lambda handler once, as in `invoke.py FOLDER new_message_processor.app.handler`.

The event comes in on standard input, the response goes out on standard output, logs on standard
error. Uses the standard library alone, so that `python -I -S` can show that FOLDER is complete.
"""

import importlib
import json
import logging
import sys

folder, handler = sys.argv[1:]
sys.path.insert(0, folder)
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
module, function = handler.rsplit(".", 1)
response = getattr(importlib.import_module(module), function)(json.load(sys.stdin), None)
json.dump(response, sys.stdout)
