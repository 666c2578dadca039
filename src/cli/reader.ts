/** Knows that whoever read what this program prints has gone away. It is told by the stream, not by SIGPIPE: that comes of any socket whose other end was closed, and Node ignores it until somebody listens. */
import { EventEmitter } from "node:events";

/** Emits `gone`. */
export const reader = new EventEmitter<{ gone: [] }>();
