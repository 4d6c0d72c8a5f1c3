#!/usr/bin/env python3
"""Ask a server the metrics queries of the conformance set and print how each agrees, one line each:

id <TAB> plain or quirk <TAB> query <TAB> "ok" or what differs

usage: metrics.py DIRECTORY BASE_URL
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
    params = {"q": query, "start": "1793491000", "end": "1793495000", "step": "60s", "exemplars": "0"}
    url = f"{sys.argv[2]}/api/metrics/query_range?{urllib.parse.urlencode(params)}"
    try:
        return asking.metrics(json.load(urllib.request.urlopen(url, timeout=60)))
    except urllib.error.HTTPError as e:
        return {"error": e.code, "text": e.read().decode(errors="replace")[:200]}


asking = load("ask")
comparing = load("compare")
answers = {x["id"]: x for x in json.load(lzma.open(sys.argv[1] + "/answers.json.xz"))}
for x in json.load(open(sys.argv[1] + "/queries.json")):
    if x["kind"] == "metrics" and x["id"] in answers:
        got, note = comparing.level("metrics", x["q"], answers[x["id"]]["answer"], ask(x["q"]))
        verdict = "ok" if "full" in got else " ".join(note.split()) or "differs"
        print(x["id"], "quirk" if "quirk" in x else "plain", " ".join(x["q"].split("\n")), verdict, sep="\t")
