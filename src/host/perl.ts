/** Knows how to have perl, which Debian and its kin never are without, listen to the kernel where Node has no call for it. */
import { spawn } from "node:child_process";

export interface Listener {
  /** A line to its standard input. */
  send(text: string): void;
  close(): void;
}

/** Each line that a script prints is passed on; `ended`: it is over, or never began, and that not by `close`. A script ends when its standard input does. */
export function listen(script: string, words: readonly string[], line: (text: string) => void, ended: () => void): Listener {
  const child = spawn("perl", ["-e", script, ...words], { stdio: ["pipe", "pipe", "ignore"] });
  let closed = false;
  const over = (): void => {
    if (!closed) ended();
    closed = true;
  };
  child.on("error", over);
  child.on("exit", over);
  child.stdin.on("error", () => {});
  // Not through a reader of lines: that comes a moment later.
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (!closed) lines.forEach(line);
  });
  return {
    send: (text) => void child.stdin.write(`${text}\n`),
    close: () => {
      closed = true;
      child.stdin.end();
    },
  };
}
