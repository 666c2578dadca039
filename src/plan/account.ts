/** Knows what of an action is kept for ever: what was done to which object and why, without the secrets that are in it. */
import type { Action, ActionOf, PerAction } from "./action.ts";
import { describe } from "./describe.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Undefined: it changes nothing but what Holdfast itself remembers. */
const FIELDS: PerAction<Fields | undefined> = {
  create: ({ hierarchy, cause }) => ({ hierarchy, cause }),
  enable: ({ hierarchy, controllers, cause }) => ({ hierarchy, controllers, cause }),
  write: ({ hierarchy, file, key, knob, from, to, cause, governing }) => ({
    hierarchy,
    file,
    ...(key === "" ? {} : { key }),
    field: knob,
    from,
    to,
    cause,
    ...(governing
      ? {
          found: governing.entry.found,
          route: governing.assignments ? "systemd" : "kernel",
          ...(governing.over ? { [governing.entry.policy === "Reset" ? "reset" : "restored"]: true } : {}),
        }
      : {}),
  }),
  ledger: () => undefined,
  reclaim: ({ hierarchy, bytes }) => ({ hierarchy, bytes }),
  place: ({ hierarchy, pid, replica }) => ({ hierarchy, pid, replica }),
  join: ({ hierarchies, comm, seen, record: { pid, start, rule, from }, cause }) => ({ hierarchies, pid, startTicks: start, comm, rule, from, seen, cause }),
  leave: ({ hierarchies, comm, record: { pid, start, from }, cause }) => ({ hierarchies, pid, startTicks: start, comm, to: from, cause }),
  // Not the words of the command, nor the variables: they may be secrets.
  start: ({ replica: { id, revision, argv, container }, reason }) => ({
    replica: id,
    revision,
    program: argv[0],
    confined: container !== undefined,
    ...imageOf(container),
    reason,
  }),
  signal: ({ replica, attempt, pid, signal, reason }) => ({ replica, attempt, pid, signal, reason }),
  signalAll: ({ replica, signal, reason }) => ({ replica, signal, reason }),
  kill: ({ replica, reason }) => ({ replica, reason }),
  record: ({ replica, attempt, terminated: { exitCode, signal, reason } }) => ({ replica, attempt, exitCode, signal, reason }),
  hook: ({ replica, which }) => ({ replica, which }),
  unpack: ({ replica, wanted: { image } }) => ({ replica, digest: image.digest }),
  remove: ({ hierarchy }) => ({ hierarchy }),
  adopt: () => undefined,
  spare: () => undefined,
  complain: () => undefined,
  health: () => undefined,
  conclude: () => undefined,
  note: () => undefined,
  enroll: () => undefined,
  release: () => undefined,
  void: () => undefined,
  hold: ({ attempt, holder }) => ({ attempt, pid: holder }),
  forget: () => undefined,
};

const imageOf = (container: ActionOf<"start">["replica"]["container"]): Fields => {
  const digest = container?.confinement.image?.digest;
  return digest === undefined ? {} : { digest };
};

/** A line of the audit log, but for its place in the chain; undefined for what is not worth one. */
export function accountOf(
  action: Action,
  error: { readonly code: string; readonly message: string } | undefined,
  source: string | undefined,
): Fields | undefined {
  const fields = (FIELDS as Record<Action["type"], (action: Action) => Fields | undefined>)[action.type](action);
  if (!fields) return undefined;
  const { type, owner, path } = action;
  return {
    action: type,
    ...(owner ? { object: owner } : {}),
    cgroup: path,
    ...fields,
    result: error ? "refused" : "done",
    ...(error ? { code: error.code, error: error.message } : {}),
    what: describe(action),
    ...(source === undefined ? {} : { source }),
  };
}
