/** A simulated host with manifests, for tests: the real line, on a temporary tree. */

import type { Event } from "../../src/api/status.ts";
import { openSimulatedHost } from "../../src/host/host.ts";
import type { Action } from "../../src/plan/action.ts";
import type { Plan } from "../../src/plan/decision.ts";
import { subject, describe as words } from "../../src/plan/describe.ts";
import { Engine } from "../../src/reconcile/engine.ts";
import { manifestsOf } from "./manifests.ts";

export interface Simulation {
  readonly engine: Engine;
  readonly events: Event[];
  load(files: Readonly<Record<string, string>> | string): void;
  converge(): Promise<Plan>;
  /** The directory of a hierarchy's root cgroup of Holdfast; `controller` on v1. */
  directory(controller: string, path?: string): string;
  close(): void;
}

export function simulate(version: 1 | 2): Simulation {
  const host = openSimulatedHost("holdfast", version);
  const events: Event[] = [];
  const engine = new Engine({ host, emit: (event) => events.push(event) });
  let manifests = manifestsOf({});
  return {
    engine,
    events,
    load: (files) => {
      manifests = manifestsOf(typeof files === "string" ? { "a.yaml": files } : files, manifests);
      engine.load(manifests);
    },
    converge: async () => (await engine.converge()).plan,
    directory: (controller, path = "") =>
      host.tree.directory(host.base.controllers.all.find(({ id, version: of }) => of === 2 || id === controller) ?? host.base.controllers.core, path),
    close: () => host.simulated.remove(),
  };
}

/** Actions as the plan's lines. */
export const linesOf = (actions: readonly Action[]): string[] => actions.map((action) => `${subject(action)}: ${words(action)}`);
