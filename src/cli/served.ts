/** Knows where verbs that look get their objects, events and usage from: the controller at work, by its socket, or else a look at the machine; in one shape. */
import type { Event } from "../api/status.ts";
import { descriptorBudget } from "../host/descriptors.ts";
import { UsageReader } from "../host/usage.ts";
import { nameLineOf } from "../manifest/locate.ts";
import { objectOf } from "../serve/mirror.ts";
import type { Served } from "../serve/object.ts";
import { queryOf, type UsageAnswer, UsageOfAll, type UsageQuestion } from "../serve/usageOfAll.ts";
import { askingOf } from "./asking.ts";
import type { GlobalOptions, Opened } from "./context.ts";

export interface HostState {
  readonly objects: readonly Served[];
  /** The latest last. */
  readonly events: readonly Event[];
}

export interface UsageSource {
  ask(question: UsageQuestion): Promise<UsageAnswer>;
  close(): void;
}

/** From look to look: whoever begins with the controller goes on by itself when that ends, and with it again when it is back. */
export function usageSource({ engine, host }: Pick<Opened, "engine" | "host">, options: GlobalOptions): UsageSource {
  const reader = new UsageReader(host.base.controllers, host.tree, descriptorBudget());
  const own = new UsageOfAll(reader);
  const controller = askingOf(options);
  return {
    ask: async (question) => {
      const answer = (await controller?.json(`/cli/usage?${queryOf(question)}`)) as UsageAnswer | undefined;
      return answer ?? (await own.answer(engine.desired, question));
    },
    close: () => {
      controller?.close();
      reader.close();
    },
  };
}

export async function stateOf({ engine, host }: Pick<Opened, "engine" | "host">, options: GlobalOptions, version: string): Promise<HostState> {
  const controller = askingOf(options);
  const asked = (await controller?.json("/cli/state")) as HostState | undefined;
  controller?.close();
  if (asked) return asked;
  const place = { node: host.name, root: host.tree.root, version };
  const objects = engine.views().map((view) => {
    const origin = engine.desired.resources.get(`${view.kind}/${view.metadata.name}`)?.origin;
    return objectOf(view, origin && nameLineOf(origin), place);
  });
  return { objects, events: engine.teller.events };
}
