/**
 * A headless Chromium for tests of pages, spoken to through its DevTools protocol.
 *
 * Messages are JSON with a zero byte behind each, through a pipe that Chromium has as descriptors 3 and 4; a shell
 * makes these of the standard ones, so that nothing listens on a port.
 *
 * ```
 *   stdin of sh  ──▶ 3 ─▶ chromium ─▶ 4 ──▶ stdout of sh
 * ```
 *
 * @module
 */

const PROGRAM = "chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--remote-debugging-pipe",
];
const LIMIT_MS = 60_000;

/** Whether Chromium is installed here. */
export const hasChromium: boolean = await new Deno.Command("sh", {
  args: ["-c", `command -v ${PROGRAM}`],
  stdout: "null",
  stderr: "null",
}).output().then(({ success }) => success, () => false);

type Json = Record<string, unknown>;

/** An open page. */
export interface Page {
  /** What was wrong so far: exceptions, errors and warnings on the console, and any but its own address. */
  readonly complaints: readonly string[];
  /** The value of an expression in the page, which must be plain data. */
  evaluate<T>(expression: string): Promise<T>;
  /** Presses a key of this name, as in ArrowLeft. */
  press(key: string): Promise<void>;
  /** Makes it believe that the user likes it dark, or light. */
  setScheme(scheme: "dark" | "light"): Promise<void>;
  /** A picture of all of it, as PNG. */
  screenshot(): Promise<Uint8Array>;
}

/** Opens the file at `path` in a browser that sees nothing else, calls `use`, and ends the browser. */
export async function withPage<T>(path: string, use: (page: Page) => Promise<T>): Promise<T> {
  const profile = await Deno.makeTempDir();
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      'exec "$@" 3<&0 4>&1 >/dev/null 2>&1 </dev/null',
      "sh",
      PROGRAM,
      ...FLAGS,
      `--user-data-dir=${profile}`,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const browser = new Browser(child);
  try {
    return await use(await browser.open(new URL(`file://${path}`).href));
  } finally {
    await browser.close();
    clearTimeout(limit);
    await Deno.remove(profile, { recursive: true });
  }
}

class Browser {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers = new Map<number, PromiseWithResolvers<Json>>();
  readonly #complaints: string[] = [];
  readonly #loaded = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;
  #address = "";
  #session: string | undefined;
  #sent = 0;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  async open(address: string): Promise<Page> {
    this.#address = address;
    const { targetId } = await this.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.#call("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(sessionId);
    for (const domain of ["Runtime", "Log", "Page", "Network"]) {
      await this.#call(`${domain}.enable`);
    }
    await this.#size(1200, 900);
    await this.#call("Page.navigate", { url: address });
    await this.#loaded.promise;
    return {
      complaints: this.#complaints,
      evaluate: (expression) => this.#evaluate(expression),
      press: (key) => this.#press(key),
      setScheme: async (value) => {
        const features = [{ name: "prefers-color-scheme", value }];
        await this.#call("Emulation.setEmulatedMedia", { features });
      },
      screenshot: () => this.#screenshot(),
    };
  }

  async close(): Promise<void> {
    this.#session = undefined;
    await this.#call("Browser.close").catch(() => {});
    await this.#reading;
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }

  async #evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#call("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    const { result, exceptionDetails } = answer as {
      result: { value: T };
      exceptionDetails?: unknown;
    };
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  }

  async #press(key: string): Promise<void> {
    const codes: Record<string, number> = { End: 35, Home: 36, ArrowLeft: 37, ArrowRight: 39 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key] };
    await this.#call("Input.dispatchKeyEvent", { type: "rawKeyDown", ...event });
    await this.#call("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async #screenshot(): Promise<Uint8Array> {
    await this.#size(1200, await this.#evaluate("document.documentElement.scrollHeight"));
    const { data } = await this.#call("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(String(data));
  }

  async #size(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#call("Emulation.setDeviceMetricsOverride", metrics);
  }

  async #call(method: string, params: Json = {}): Promise<Json> {
    const id = ++this.#sent;
    const answer = Promise.withResolvers<Json>();
    this.#answers.set(id, answer);
    const message = JSON.stringify({ id, method, params, sessionId: this.#session });
    await this.#writer.write(new TextEncoder().encode(`${message}\0`));
    return await answer.promise;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message));
    }
    const ended = new Error("the browser ended");
    for (const answer of this.#answers.values()) answer.reject(ended);
    this.#loaded.reject(ended);
    this.#loaded.promise.catch(() => {});
  }

  #take(message: { id?: number; method?: string; params?: Json; result?: Json; error?: unknown }) {
    const { id, method, params = {} } = message;
    if (id !== undefined) {
      const answer = this.#answers.get(id);
      this.#answers.delete(id);
      if (message.error === undefined) answer?.resolve(message.result ?? {});
      else answer?.reject(new Error(JSON.stringify(message.error)));
    } else if (method === "Page.loadEventFired") {
      this.#loaded.resolve();
    } else if (method !== undefined && this.#isComplaint(method, params)) {
      this.#complaints.push(`${method} ${JSON.stringify(params)}`);
    }
  }

  #isComplaint(method: string, params: Json): boolean {
    if (method === "Runtime.exceptionThrown") return true;
    if (method === "Runtime.consoleAPICalled") {
      return ["error", "warning", "assert"].includes(String(params.type));
    }
    if (method === "Log.entryAdded") {
      return ["error", "warning"].includes((params.entry as { level: string }).level);
    }
    if (method !== "Network.requestWillBeSent") return false;
    return (params.request as { url: string }).url !== this.#address;
  }
}
