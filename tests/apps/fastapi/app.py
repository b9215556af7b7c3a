"""A shop that fails in the ways that a shop does."""

import asyncio

from fastapi import FastAPI, HTTPException, Response

app = FastAPI()
prices = {"cup": 7}


class OutOfStock(Exception):
    pass


def price(item):
    return prices[item]


@app.get("/items/{item}")
async def show(item: str):
    return price(item)


@app.get("/missing")
async def missing():
    raise HTTPException(404)


@app.get("/slow")
async def slow():
    await asyncio.sleep(1)
    return "late"


@app.get("/health")
async def health():
    raise RuntimeError("not ready")


@app.post("/orders")
async def order(password: str):
    raise OutOfStock(f"password={password}")


@app.get("/busy")
async def busy():
    return Response("come back later", 503)
