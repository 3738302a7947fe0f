#!/usr/bin/env python3
"""Somebody to be told: keeps the body of each request as FOLDER/00.json, 01.json, …, and its own port in FOLDER/port.

Usage: listener.py FOLDER
"""
import http.server
import os
import sys

FOLDER = sys.argv[1]


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        count = sum(name.endswith(".json") for name in os.listdir(FOLDER))
        with open(os.path.join(FOLDER, f"{count:02}.json"), "wb") as f:
            f.write(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
with open(os.path.join(FOLDER, "port"), "w") as f:
    f.write(str(server.server_address[1]))
server.serve_forever()
