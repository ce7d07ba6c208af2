// A client's WebSocket for tests in Node, whose older versions have none: as much of it as peers use.

import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

export class WebSocket {
  readyState = 0;
  onopen = () => {};
  onmessage = () => {};
  onclose = () => {};
  onerror = () => {};
  #socket;
  #key = randomBytes(16).toString("base64");
  #bytes = Buffer.alloc(0);
  #parts = [];
  #code = 1006;
  #reason = "";

  constructor(url, protocol) {
    const { hostname, port, pathname, host } = new URL(url);
    this.protocol = protocol;
    this.#socket = connect(Number(port), hostname, () => {
      const head = [
        `GET ${pathname} HTTP/1.1`,
        `Host: ${host}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Key: ${this.#key}`,
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Protocol: ${protocol}`,
      ];
      this.#socket.write(`${head.join("\r\n")}\r\n\r\n`);
    });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#read();
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.readyState = 3;
      this.onclose({ code: this.#code, reason: this.#reason });
    });
  }


  #read() {
    if (this.readyState === 0 && !this.#open()) return;
    for (let frame = this.#frame(); frame; frame = this.#frame()) this.#take(frame);
  }

  #open() {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#bytes.subarray(0, end).toString();
    const accept = createHash("sha1").update(this.#key + MAGIC).digest("base64");
    if (!head.startsWith("HTTP/1.1 101") || !head.includes(accept) || !head.includes(this.protocol)) {
      this.#socket.destroy();
      return false;
    }
    this.#bytes = this.#bytes.subarray(end + 4);
    this.readyState = 1;
    this.onopen({});
    return true;
  }

  #frame() {
    if (this.#bytes.length < 2) return undefined;
    let [at, len] = [2, this.#bytes[1] & 0x7f];
    if (len === 126) {
      if (this.#bytes.length < 4) return undefined;
      [at, len] = [4, this.#bytes.readUInt16BE(2)];
    } else if (len === 127) {
      if (this.#bytes.length < 10) return undefined;
      [at, len] = [10, Number(this.#bytes.readBigUInt64BE(2))];
    }
    if (this.#bytes.length < at + len) return undefined;
    const frame = { last: this.#bytes[0] >= 0x80, kind: this.#bytes[0] & 15, payload: this.#bytes.subarray(at, at + len) };
    this.#bytes = this.#bytes.subarray(at + len);
    return frame;
  }

  #take({ last, kind, payload }) {
    if (kind === PING) return this.#write(PONG, payload);
    if (kind === PONG) return undefined;
    if (kind === CLOSE) {
      if (payload.length >= 2) [this.#code, this.#reason] = [payload.readUInt16BE(0), payload.subarray(2).toString()];
      else this.#code = 1005;
      if (this.readyState === 1) this.#write(CLOSE, payload.subarray(0, 2));
      return this.#socket.end();
    }
    this.#parts.push(payload);
    if (!last) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    // As in browsers, nothing is heard after close() was called.
    return this.readyState === 1 ? this.onmessage({ data: kind === BINARY ? whole : whole.toString() }) : undefined;
  }

  #write(kind, payload) {
    const len = payload.length;
    const head = Buffer.alloc(len < 126 ? 2 : len < 65536 ? 4 : 10);
    head[0] = 0x80 | kind;
    if (len < 126) head[1] = len;
    else if (len < 65536) {
      head[1] = 126;
      head.writeUInt16BE(len, 2);
    } else {
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(len), 2);
    }
    head[1] |= 0x80;
    // A mask of zeros is one, and proxies that it is to protect from are not between us and the test.
    this.#socket.write(Buffer.concat([head, Buffer.alloc(4), payload]));
  }

  send(data) {
    if (this.readyState === 0) throw new Error("not open yet");
    if (this.readyState === 1) this.#write(typeof data === "string" ? TEXT : BINARY, Buffer.from(data));
  }

  close(code = undefined) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code < 5000)) throw new Error("no code for a page");
    if (this.readyState === 0) return void this.#socket.destroy();
    if (this.readyState !== 1) return;
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.#write(CLOSE, payload);
    this.readyState = 2;
  }
}
