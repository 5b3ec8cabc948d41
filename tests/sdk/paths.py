"""Prints the method and the path of each request that the official packages for Python know, with `{}` for what stands in the path.

    BASE_URL=… API_KEY=… python paths.py openai|anthropic

tests/api/sdk/paths.rs compares the paths with the rows of docs/api.md.
"""

import importlib
import os
import re
import sys

CALL = re.compile(r'self\._(get_api_list|get|post|put|patch|delete)\(\s*(?:path_template\(\s*)?f?"(/[^"?]*)')

found = set()
package = importlib.import_module(sys.argv[1])
for folder, _, files in os.walk(os.path.join(os.path.dirname(package.__file__), "resources")):
    for name in files:
        if not name.endswith(".py"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            # Function by function: a list may be asked for by POST, which stands behind the path.
            for function in re.split(r"\n    (?:async )?def ", file.read()):
                for method, path in CALL.findall(function):
                    verb = "POST" if 'method="post"' in function else method.split("_")[0].upper()
                    found.add(f"{verb} " + re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/v1")))
print("\n".join(sorted(found)))
