// A web server of the files that tests need in a page.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const ROOT = new URL("..", import.meta.url);
const FILES = ["shiome.js", "rtc.js", "tests/behaviours.js", "tests/worlds.js"];

/** An empty page, in which a test does what it wants. */
const PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>test</title><link rel=icon href=data:,>";

export async function serve() {
  const server = createServer(async ({ url }, response) => {
    const path = url.slice(1).split("?")[0];
    const [type, body] = FILES.includes(path) ? ["text/javascript", await readFile(new URL(path, ROOT))] : ["text/html", PAGE];
    response.writeHead(200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
