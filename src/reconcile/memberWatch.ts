/**
 * Knows when processes may belong into a group, or have left one: as the kernel tells it or, where that cannot be had, by looks for new processes; members each second, all others at
 * a resync. Hints only.
 */
import type { Problem } from "../api/problem.ts";
import type { Member } from "../api/schema.ts";
import type { CgroupPath } from "../cgroup/path.ts";
import { pidsIn } from "../host/attempts.ts";
import { type NewProcesses, newProcesses } from "../host/newProcesses.ts";
import { pidIn } from "../host/pidFile.ts";
import { type ProcessEvents, processEvents } from "../host/processEvents.ts";
import type { DesiredMembers } from "../plan/desired.ts";
import type { ObservedProcess } from "../plan/hostProcess.ts";
import { placeFor } from "../plan/memberRules.ts";
import { membership } from "../plan/members.ts";
import type { Companion } from "./companions.ts";
import type { Engine } from "./engine.ts";

/** Between two looks for new processes, ms. */
const OFTEN = 10;
/** A new process is looked at again after so many ms: it executes its program, and becomes another user, in its first moments. */
const AGES = [0, 10, 40, 150, 500, 1500, 5000];
/** Between two looks at those that are members, ms; more where there are many. */
const [CENSUS, PER_GROUP] = [1000, 10];

export class MemberWatch implements Companion {
  private readonly engine: Engine;
  private readonly look: (path: CgroupPath) => void;
  private census: NodeJS.Timeout | undefined;
  /** When the members were looked at last. */
  private counted: number | undefined;
  private events: ProcessEvents | undefined;
  private news: NewProcesses | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Young processes: when to look at each again, and how often that was. */
  private readonly young = new Map<number, { readonly start: number; readonly born: number; readonly age: number }>();

  constructor(engine: Engine, look: (path: CgroupPath) => void) {
    this.engine = engine;
    this.look = look;
  }

  /** Begins when there are rules, and ends when there are none. */
  sync(): void {
    const wanted = this.engine.desired.members.length > 0;
    if (wanted === (this.census !== undefined)) return;
    this.close();
    if (!wanted) return;
    this.count();
    this.events = processEvents({
      changed: (pid) => this.consider([pid]),
      lost: () => this.lookAtAll(),
      ended: () => {
        this.events = undefined;
        this.news = newProcesses();
        this.lookAtAll();
        this.tick();
      },
    });
  }

  close(): void {
    this.events?.close();
    clearTimeout(this.census);
    clearTimeout(this.timer);
    this.news?.close();
    this.census = undefined;
    this.counted = undefined;
    this.events = undefined;
    this.news = undefined;
    this.young.clear();
  }

  /** At a resync every process is looked at; the groups of which the members are not as they shall be. */
  glance(): CgroupPath[] {
    const { desired, host, machine, applied, seen } = this.engine;
    if (desired.members.length === 0) return [];
    host.table.look();
    const problems: Problem[] = [];
    const inputs = { desired, observed: host.observe(machine, new Map()), applied, now: Date.now() };
    const { actions, reported, memberships } = membership(inputs, () => true, problems);
    if (memberships) seen.memberships = memberships;
    return [...actions, ...reported].map(({ path }) => path).concat(problems.flatMap(({ cgroup }) => (cgroup as CgroupPath | undefined) ?? []));
  }

  private lookAtAll(): void {
    for (const path of this.glance()) this.look(path);
  }

  /** Looks for new processes, and again at young ones. */
  private tick(): void {
    const now = Date.now();
    this.timer = setTimeout(() => this.tick(), OFTEN);
    const fresh = this.news?.since();
    if (fresh === undefined) {
      this.lookAtAll();
      return;
    }
    for (const pid of fresh) this.young.set(pid, { start: 0, born: now, age: 0 });
    const due = [...this.young].filter(([, { born, age }]) => now >= born + (AGES[age] ?? 0)).map(([pid]) => pid);
    if (due.length === 0) return;
    const known = this.consider(due);
    for (const pid of due) {
      const [one, before] = [known.get(pid), this.young.get(pid)];
      // What is over, and what is old enough, is left to the resync.
      if (!one || !before || before.age + 1 >= AGES.length || (before.start !== 0 && before.start !== one.start)) this.young.delete(pid);
      else this.young.set(pid, { ...before, start: one.start, age: before.age + 1 });
    }
  }

  /** Looks at processes that may be other than they were, and then at the groups into which one belongs and is not. */
  private consider(pids: readonly number[]): ReadonlyMap<number, ObservedProcess> {
    const { table } = this.engine.host;
    for (const pid of pids) table.touch(pid);
    const known = table.known();
    const paths = new Set(pids.flatMap((pid) => this.placeFor(known.get(pid)) ?? []));
    for (const path of paths) this.look(path);
    return known;
  }

  /** Where a process belongs and is not. */
  private placeFor(process: ObservedProcess | undefined): CgroupPath | undefined {
    if (!process) return undefined;
    const { machine, desired, host } = this.engine;
    const found = placeFor(process, desired.members, { machine, pidIn });
    const isElsewhere = ({ path, hierarchies }: DesiredMembers): boolean => hierarchies.some((id) => process.cgroups.get(id) !== `/${host.tree.root}/${path}`);
    if (found) return isElsewhere(found) ? found.path : undefined;
    // Born of a member in the moment before that was moved.
    const parent = host.members.all().get(process.parent);
    const above = parent && desired.members.find(({ path }) => path === parent.path);
    return above && isElsewhere(above) ? above.path : undefined;
  }

  /** Members that have left, and pid files: nothing tells of a move out of a cgroup. */
  private count(): void {
    const { length } = this.engine.desired.members;
    const before = this.counted;
    this.counted = Date.now();
    this.census = setTimeout(() => this.count(), Math.max(CENSUS, PER_GROUP * length));
    this.consider(this.engine.desired.members.flatMap(({ group }) => group.members.flatMap(pidFilesIn)).flatMap((file) => pidIn(file) ?? []));
    const { host, desired, seen } = this.engine;
    const { all } = this.engine.machine.controllers;
    for (const { path, group, hierarchies } of desired.members) {
      const places = all.filter(({ id }) => hierarchies.includes(id)).map((hierarchy) => new Set(pidsIn(host.files, host.tree.directory(hierarchy, path))));
      const { expected = [], unexpected = [] } = seen.memberships.get(group.key) ?? {};
      const known = new Set([...expected, ...unexpected].map(({ pid }) => pid));
      const left = [...known].filter((pid) => places.some((there) => !there.has(pid)));
      const changed = [...left, ...places.flatMap((there) => [...there].filter((pid) => !known.has(pid)))];
      for (const pid of changed) host.table.touch(pid);
      if (changed.length === 0) continue;
      if (before !== undefined) this.engine.notice.found(path, before);
      this.look(path);
    }
  }
}

const pidFilesIn = ({ pidFile, not, any = [] }: Member): string[] => [
  ...(pidFile === undefined ? [] : [pidFile]),
  ...(not ? pidFilesIn(not) : []),
  ...any.flatMap(pidFilesIn),
];
