/** Knows how long each action on a host takes. */
import type { Host } from "../host/host.ts";
import type { Metrics } from "./metrics.ts";

/** A host of which every action is timed. */
export function timed(host: Host, done: Metrics["done"]): Host {
  return {
    ...host,
    perform: (action) => {
      const start = performance.now();
      const end = (failed: boolean): void => done(action, (performance.now() - start) / 1000, failed);
      try {
        const pending = host.perform(action);
        if (!(pending instanceof Promise)) end(false);
        else
          pending.then(
            () => end(false),
            () => end(true),
          );
        return pending;
      } catch (error) {
        end(true);
        throw error;
      }
    },
  };
}
