#!/usr/bin/env python3
"""Print the search queries of the conformance set with the spans they match, one line each:

id <TAB> plain or quirk <TAB> query <TAB> answer

The answer is "error", or a list of trace=spanset|spanset separated by spaces, a spanset being span ids joined by commas,
everything sorted. usage: expected.py DIRECTORY
"""
import json
import lzma
import sys


def canonical(answer):
    if "error" in answer:
        return "error"
    traces = []
    for trace, found in sorted(answer.items()):
        sets = sorted(",".join(sorted(span[0] for span in spans)) for matched, spans, attributes in found["sets"])
        for matched, spans, attributes in found["sets"]:
            assert matched == len(spans)
        traces.append(trace + "=" + "|".join(sets))
    return " ".join(traces)


answers = {x["id"]: x for x in json.load(lzma.open(sys.argv[1] + "/answers.json.xz"))}
for x in json.load(open(sys.argv[1] + "/queries.json")):
    if x["kind"] == "search" and x["id"] in answers:
        kind = "quirk" if "quirk" in x else "plain"
        print(x["id"], kind, " ".join(x["q"].split("\n")), canonical(answers[x["id"]]["answer"]), sep="\t")
