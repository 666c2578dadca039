/** Knows how to move a process of the host from one cgroup to another: that very process, from where it was seen to be, and as a whole. */
import type { Action, ActionOf, PerAction } from "../plan/action.ts";
import type { MemberRecord } from "../plan/hostProcess.ts";
import type { Hands, Refusal } from "./perform.ts";
import type { Base } from "./probe.ts";
import { hasEnded, statOf } from "./procfs.ts";

type Refused = (what: string, file: string, error: unknown) => Refusal;

const isThere = ({ pid, start }: Pick<MemberRecord, "pid" | "start">): boolean => {
  const stat = statOf(pid);
  return stat?.startTicks === start && !hasEnded(stat);
};

export function memberPerformers(
  { files, tree, table, members }: Hands,
  { controllers: { all } }: Base,
  refused: Refused,
): Pick<PerAction<void>, "join" | "leave" | "enroll"> {
  const gone = ({ pid }: MemberRecord): Refusal => refused(`process ${pid} has ended`, "cgroup.procs", { code: "ESRCH" });
  const move = (record: MemberRecord, directory: string): void => {
    if (!isThere(record)) throw gone(record);
    try {
      // The kernel takes all of its threads along (cgroup-v2.rst, "Processes"). The number is looked at the moment before: there is no write by pidfd.
      files.write(`${directory}/cgroup.procs`, String(record.pid));
    } catch (error) {
      throw refused(`moving process ${record.pid} to ${directory}`, "cgroup.procs", error);
    }
  };
  const mount = (id: string): string | undefined => all.find((hierarchy) => hierarchy.id === id)?.mount;
  const hierarchiesOf = ({ hierarchies }: Pick<ActionOf<"join">, "hierarchies">) => all.filter(({ id }) => hierarchies.includes(id));
  const touching = <A extends Action & { readonly record: MemberRecord }>(perform: (action: A) => void) => {
    return (action: A): void => {
      try {
        perform(action);
      } finally {
        table.touch(action.record.pid);
      }
    };
  };
  return {
    join: touching<ActionOf<"join">>((action) => {
      const { record, path, seen } = action;
      // Whose they are is asked at each move: a number that is still that process's then was so all the time.
      const now = table.cgroupsOf(record.pid);
      if (!now) throw gone(record);
      const moved = hierarchiesOf(action).find(({ id }) => (now.get(id) ?? "/") !== seen[id]);
      if (moved) throw refused(`process ${record.pid} went to ${now.get(moved.id)} meanwhile`, "cgroup.procs", { code: "EAGAIN" });
      const known = members.all().get(record.pid);
      // Written down first: a controller that ends in between leaves none of which nobody knows where it came from.
      members.add(record);
      let done = 0;
      try {
        for (const hierarchy of hierarchiesOf(action)) {
          move(record, tree.directory(hierarchy, path));
          done++;
        }
      } finally {
        if (done === 0 && known?.start !== record.start) members.remove(record);
      }
    }),
    leave: touching<ActionOf<"leave">>((action) => {
      const { record } = action;
      for (const { id } of hierarchiesOf(action)) {
        const top = mount(id);
        const from = record.from[id];
        if (top === undefined || from === undefined) continue;
        moveNear(record, `${top}${from === "/" ? "" : from}`, top);
      }
      members.remove(record);
    }),
    enroll: ({ record }) => members.add(record),
  };

  /** Where it came from may be gone, or have children now (v2: EBUSY): then the nearest cgroup above takes it. */
  function moveNear(record: MemberRecord, directory: string, top: string): void {
    for (let path = directory; ; path = path.slice(0, path.lastIndexOf("/"))) {
      try {
        return void move(record, path);
      } catch (error) {
        if (path === top || !["ENOENT", "ENODEV", "EBUSY"].includes((error as Refusal).code)) throw error;
      }
    }
  }
}
