#!/usr/bin/env python3
"""Ask a server the queries of one kind of the conformance set and print how each agrees, in full, one line each:

id <TAB> plain or quirk <TAB> query <TAB> "ok" or what differs

usage: api.py DIRECTORY BASE_URL search|metrics
"""
import json
import lzma
import re
import sys
import types
import urllib.error
import urllib.parse
import urllib.request


def load(name):
    # ask.py asks as soon as it is imported; only its functions are wanted.
    source = re.sub(r"(?m)^main\(\)$", "", open(f"{sys.argv[1]}/{name}.py").read())
    module = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def ask(query):
    params = {"q": query, "start": "1793491000", "end": "1793495000"}
    if sys.argv[3] == "search":
        path, read = "/api/search", asking.search
        params.update(limit="100000", spss="100")
    else:
        path, read = "/api/metrics/query_range", asking.metrics
        params.update(step="60s", exemplars="0")
    try:
        return read(json.load(urllib.request.urlopen(f"{sys.argv[2]}{path}?{urllib.parse.urlencode(params)}", timeout=60)))
    except urllib.error.HTTPError as e:
        return {"error": e.code, "text": e.read().decode(errors="replace")[:200]}


asking = load("ask")
comparing = load("compare")
answers = {x["id"]: x for x in json.load(lzma.open(sys.argv[1] + "/answers.json.xz"))}
for x in json.load(open(sys.argv[1] + "/queries.json")):
    if x["kind"] == sys.argv[3] and x["id"] in answers:
        got, note = comparing.level(sys.argv[3], x["q"], answers[x["id"]]["answer"], ask(x["q"]))
        verdict = "ok" if "full" in got else " ".join(note.split()) or "differs"
        print(x["id"], "quirk" if "quirk" in x else "plain", " ".join(x["q"].split("\n")), verdict, sep="\t")
