// A shop that fails in the ways that a shop does.
const express = require("express");

const app = express();
const prices = new Map([["cup", 7]]);

class OutOfStock extends Error {
  name = "OutOfStock";
}

function price(item) {
  return prices.get(item).toString();
}

app.get("/items/:item", (request, response) => {
  response.send(price(request.params.item));
});

app.get("/missing", (_request, response) => {
  response.sendStatus(404);
});

app.get("/slow", (_request, response) => {
  setTimeout(() => response.send("late"), 1000);
});

app.get("/health", () => {
  throw new RangeError("not ready");
});

app.post("/orders", async (request) => {
  throw new OutOfStock(`password=${request.query.password}`);
});

app.get("/busy", (_request, response) => {
  response.status(503).send("come back later");
});

const server = app.listen(process.env.PORT, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${process.env.PORT}`);
});
process.on("SIGTERM", () => server.close());
