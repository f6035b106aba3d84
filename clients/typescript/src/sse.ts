/** A parser of server-sent events (WHATWG HTML 9.2.6). */

export interface ServerSentEvent {
  event: string;
  data: string;
}

export class EventParser {
  /** The last `id`, also of a block without data, such as a heartbeat. */
  lastEventId: string | undefined;
  /** The last `retry`, in milliseconds. */
  retryMs: number | undefined;
  #decoder = new TextDecoder();
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | undefined;

  constructor(lastEventId?: string) {
    this.lastEventId = lastEventId;
  }

  /** The events that these bytes complete, each with the id that resumes behind it. */
  *parse(bytes: Uint8Array): Generator<ServerSentEvent> {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    // A CR at the end may be the first half of a CR LF.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event !== undefined) {
        yield event;
      }
    }
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === "") {
      return this.#dispatch();
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") {
      this.#event = value;
    } else if (name === "data") {
      this.#data.push(value);
    } else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
    } else if (name === "retry" && /^\d+$/.test(value)) {
      this.retryMs = Number(value);
    }
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    this.lastEventId = this.#id ?? this.lastEventId;
    const [event, data] = [this.#event || "message", this.#data];
    [this.#event, this.#data, this.#id] = ["", [], undefined];
    return data.length > 0 ? { event, data: data.join("\n") } : undefined;
  }
}
