"""A shop that fails in the ways that a shop does."""

import time

from flask import Flask, abort, request

app = Flask(__name__)
prices = {"cup": 7}


class OutOfStock(Exception):
    pass


def price(item):
    return prices[item]


@app.get("/items/<item>")
def show(item):
    return str(price(item))


@app.get("/missing")
def missing():
    abort(404)


@app.get("/slow")
def slow():
    time.sleep(1)
    return "late"


@app.get("/health")
def health():
    raise RuntimeError("not ready")


@app.post("/orders")
def order():
    raise OutOfStock(f"password={request.args['password']}")


@app.get("/busy")
def busy():
    return "come back later", 503
