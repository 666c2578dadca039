/** Knows where verbs that look get their objects, events and usage from: the controller at work, by its socket, or else a look at the machine; in one shape. */
import type { Event } from "../api/status.ts";
import { descriptorBudget } from "../host/descriptors.ts";
import { UsageReader } from "../host/usage.ts";
import { nameLineOf } from "../manifest/locate.ts";
import { objectOf } from "../serve/mirror.ts";
import type { Served } from "../serve/object.ts";
import { queryOf, type UsageAnswer, UsageOfAll, type UsageQuestion } from "../serve/usageOfAll.ts";
import { type Asking, askingOf } from "./asking.ts";
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

/** From look to look: by itself while no controller answers, and with one as soon as it does. */
export function usageSource({ engine, host }: Pick<Opened, "engine" | "host">, options: GlobalOptions): UsageSource {
  const reader = new UsageReader(host.base.controllers, host.tree, descriptorBudget());
  const own = new UsageOfAll(reader);
  let controller: Asking | undefined;
  let last: "controller" | "own" | undefined;
  // What one has told, the other knows nothing of.
  const asked = (question: UsageQuestion, of: typeof last): UsageQuestion => (last === of ? question : { ...question, since: undefined });
  return {
    ask: async (question) => {
      controller ??= askingOf(options);
      const answer = (await controller?.json(`/cli/usage?${queryOf(asked(question, "controller"))}`)) as UsageAnswer | undefined;
      const told = answer ?? (await own.answer(engine.desired, asked(question, "own")));
      last = answer ? "controller" : "own";
      return told;
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
