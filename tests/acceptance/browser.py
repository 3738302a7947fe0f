#!/usr/bin/env python3
"""Open pages in headless Chromium over its debugging pipe, and tell whether anything in them came alive.

usage: browser.py FOLDER PROFILE    every .html below FOLDER; PROFILE is a folder for the browser
"""
import glob
import json
import os
import re
import socket
import subprocess
import sys
import threading

MARK = "v6x"
TROUBLE = ("Page.javascriptDialogOpening", "Network.requestWillBeSent", "Log.entryAdded", "Runtime.exceptionThrown",
           "Page.windowOpen", "Page.frameAttached")
CONTROL = ("<!DOCTYPE html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><b id=v6x></b>"
           "<script>alert(1);fetch('http://attacker.example/').catch(function(){})</script><img src=http://attacker.example/i>"
           "<iframe srcdoc=x></iframe>")


class Browser:
    """One browser and one tab, spoken to in null-terminated JSON. It is ended after `patience` seconds."""

    def __init__(self, profile, port, patience=240):
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def descriptors():
            # The browser reads from 3 and writes to 4.
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
             "--remote-debugging-pipe", f"--host-resolver-rules=MAP * 127.0.0.1:{port}", "about:blank"],
            preexec_fn=descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        self.timer = threading.Timer(patience, self.process.kill)
        self.timer.daemon = True
        self.timer.start()
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")

    def read(self):
        while b"\0" not in self.buffer:
            part = os.read(self.back, 1 << 16)
            if not part:
                sys.exit("the browser is gone")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        if "method" in message:
            self.events.append(message)
            if message["method"] == "Page.javascriptDialogOpening":
                self.send("Page.handleJavaScriptDialog", accept=True)
        return message

    def send(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        return self.number

    def call(self, method, **params):
        number = self.send(method, **params)
        while True:
            message = self.read()
            if message.get("id") == number:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]

    def open(self, url):
        """What came alive in a page, and how many elements it has."""
        self.events = []
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.read()
        # Whatever the page began is done after two frames and a turn of its queue; folds are opened, fields get the focus.
        expression = """new Promise(done => {
            document.querySelectorAll('details').forEach(fold => fold.open = true);
            document.querySelectorAll('input, button, a').forEach(each => { try { each.focus(); } catch (e) {} });
            setTimeout(() => done([document.querySelectorAll('#%s').length, document.documentElement.id === '%s',
                document.querySelectorAll('*').length]), 40);
        })""" % (MARK, MARK)
        marked, own, elements = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                                          returnByValue=True)["result"]["value"]
        alive = [f"{marked} elements with the mark"] if marked or own else []
        for event in self.events:
            method, params = event["method"], event["params"]
            own_page = method == "Network.requestWillBeSent" and params["request"]["url"] in (url, "data:,")
            if method in TROUBLE and not own_page:
                what = params.get("message") or params.get("entry", {}).get("text") or params.get("request", {}).get("url") or ""
                alive.append(f"{method} {what[:150]}")
        return alive, elements

    def close(self):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()


def main(folder, profile):
    # Every name leads here, so that a request to anybody would be met.
    # The browser's own errands, such as looking for updates, lead here as well: whom a visitor wants is told by its first bytes,
    # in the Host header or in the clear text of the TLS greeting.
    visits, errands, listener = [], [], socket.create_server(("127.0.0.1", 0))

    def meet(peer):
        peer.settimeout(5)
        try:
            first = peer.recv(4096)
        except OSError:
            first = b""
        (errands if re.search(rb"(google|gstatic|googleapis|gvt1)\.", first) else visits).append(first[:200])
        peer.close()

    def count():
        while True:
            threading.Thread(target=meet, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=count, daemon=True).start()
    browser = Browser(profile, listener.getsockname()[1])
    control = os.path.join(profile, "control.html")
    with open(control, "w") as page:
        page.write(CONTROL)
    noticed, _ = browser.open("file://" + control)
    for wanted in ("mark", "javascriptDialogOpening", "requestWillBeSent", "Content Security Policy", "frameAttached"):
        if not any(wanted in line for line in noticed):
            sys.exit(f"the control page came alive, and {wanted} was not noticed: {noticed}")
    for _ in range(50):
        if visits:
            break
        browser.call("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 50))", awaitPromise=True)
    if not visits:
        sys.exit("the control page asked a host for something, and that was not noticed")
    visits.clear()
    pages = sorted(glob.glob(os.path.join(glob.escape(folder), "**", "*.html"), recursive=True))
    wrong, elements = [], 0
    for page in pages:
        alive, count_of = browser.open("file://" + page)
        elements += count_of
        wrong += [f"{page}: {line}" for line in alive]
    browser.close()
    print(f"n={len(pages)} pages with {elements} elements, {len(wrong)} signs of life, {len(visits)} requests to other hosts "
          f"(control: {len(noticed)} signs; {len(errands)} errands of the browser's own)")
    wrong += [f"asked: {first!r}" for first in visits]
    if wrong or visits or len(pages) < 200:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
