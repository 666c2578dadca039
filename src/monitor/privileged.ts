/** Knows how everything that takes privilege is done through the monitor: the same ports as on a machine of one's own. */
import { closeSync } from "node:fs";
import { runHandler } from "../host/handlers.ts";
import type { HostOptions, Privileged } from "../host/host.ts";
import { logFile, openLog } from "../host/logs.ts";
import { failed } from "../host/result.ts";
import type { Channel } from "./channel.ts";

export function privileged(monitor: Channel, { logDirectory }: Pick<HostOptions, "logDirectory">): Privileged {
  return {
    lookUp: (base) => ({ ...base, governed: new Map(), ...monitor.call("facts") }),
    hands: {
      write: (file, text) => monitor.call("write", file, text),
      writeAndRead: (file, text) => monitor.call("writeAndRead", file, text),
      makeDirectory: (directory) => monitor.call("makeDirectory", directory),
      removeDirectory: (directory) => monitor.call("removeDirectory", directory),
    },
    processes: {
      attempts: (replicas) => monitor.call("attempts", replicas ? [...replicas] : null),
      prepare: (ready) => monitor.call("prepare", ready),
      start: async ({ attempt, replica, meta }) => {
        const { name, run } = replica.resource;
        // The log is this user's: it is made here, and opened once more there.
        if (!run.logs.journald) {
          monitor.call("giveLog", name);
          closeSync(openLog(logFile(logDirectory, name, replica.ordinal, run.logs), run.logs));
        }
        await monitor.call("start", attempt, replica.id, replica.revision, meta.startedAt);
      },
      signal: async (attempt, pid, signal) => monitor.call("signal", attempt, pid, signal),
      signalAll: async (path, signal) => monitor.call("signalAll", path, signal),
      handle: async (target, handler, timeout) => {
        if (!("exec" in handler)) return runHandler(handler, target, timeout, []);
        try {
          return await monitor.call("handle", target.attempt, JSON.stringify(handler), timeout);
        } catch (error) {
          return failed((error as Error).message);
        }
      },
      kill: async (path) => monitor.call("kill", path),
      release: async (attempt, holder) => monitor.call("release", attempt, holder),
      hold: (attempt, holder) => monitor.call("hold", attempt, holder),
      void: (attempt) => monitor.call("void", attempt),
      sweep: () => new Set(monitor.call("sweep")),
    },
    images: {
      state: (wanted) => monitor.call("imageState", JSON.stringify(wanted)),
      prepare: async (wanted) => monitor.call("prepareImage", JSON.stringify(wanted)),
      // The monitor has done that before there was a controller.
      clean: async () => {},
      forgive: (wanted) => monitor.call("forgiveImages", [...wanted]),
      list: () => monitor.call("images"),
      remove: async (key) => monitor.call("removeImage", key),
    },
    kernelLog: () => {
      monitor.call("kernelLog");
      const read = (): readonly string[] => {
        try {
          return monitor.call("kernelLog");
        } catch {
          return []; // the monitor has seen first that no workload asks for it any more
        }
      };
      return { read, close: () => {} };
    },
  };
}
