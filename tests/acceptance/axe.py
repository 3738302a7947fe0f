#!/usr/bin/env python3
"""Have axe-core look at pages in headless Chromium: WCAG 2.1, levels A and AA, on a desk and on a phone.

usage: axe.py AXE.MIN.JS PROFILE PAGE...    PROFILE is a folder for the browser
"""
import collections
import os
import sys

from browser import Browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# Width in CSS pixels, and whether it is a phone.
LOOKS = {"desk": (1280, False), "phone": (375, True)}
# An image without words, a field without a name, and grey on grey.
CONTROL = ('<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>control</title><img src="data:,"><input>'
           '<p style="color:#999;background:#aaa">pale</p></html>')
RUN = """new Promise(done => axe.run(document, {runOnly: {type: 'tag', values: %s}, resultTypes: ['violations']}).then(
    found => done({rules: found.passes.length + found.violations.length, violations: found.violations.map(each => ({
        id: each.id, help: each.help, n: each.nodes.length, html: each.nodes[0].html.slice(0, 160),
        why: (each.nodes[0].failureSummary || '').slice(0, 300)}))})))""" % TAGS


def look(browser, axe, page, width, phone):
    """The rules that were applied to a page, and those that it violates."""
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=phone)
    browser.open("file://" + page)
    browser.call("Runtime.evaluate", expression=axe)
    answer = browser.call("Runtime.evaluate", expression=RUN, awaitPromise=True, returnByValue=True)
    if "value" not in answer["result"]:
        sys.exit(f"{page}: axe-core did not run: {answer}")
    return answer["result"]["value"]


def main(source, profile, pages):
    with open(source, encoding="utf-8") as script:
        axe = script.read()
    # Nothing listens there: no page may ask for anything anyway (`browser.py`).
    browser = Browser(profile, 9, patience=600)
    control = os.path.join(profile, "control.html")
    with open(control, "w", encoding="utf-8") as page:
        page.write(CONTROL)
    noticed = {each["id"] for each in look(browser, axe, control, *LOOKS["desk"])["violations"]}
    if not {"image-alt", "label", "color-contrast"} <= noticed:
        sys.exit(f"axe-core did not notice what is wrong with the control: {noticed}")
    violations, rules = collections.Counter(), 0
    first = {}
    for page in pages:
        for name, (width, phone) in LOOKS.items():
            found = look(browser, axe, os.path.abspath(page), width, phone)
            rules += found["rules"]
            for each in found["violations"]:
                violations[each["id"]] += each["n"]
                first.setdefault(each["id"], f"{page} ({name}): {each['help']}: {each['html']} {each['why']}")
    browser.close()
    print(f"n={len(pages)} pages in {len(LOOKS)} looks, {rules} rules applied, {sum(violations.values())} violations "
          f"of {', '.join(TAGS)} (control: {len(noticed)} rules)")
    if violations or not pages:
        sys.exit("\n".join(f"{rule} x {violations[rule]}: {where}" for rule, where in first.items()))


main(sys.argv[1], sys.argv[2], sys.argv[3:])
