/** Knows what is made before a container starts, and what goes when it has ended: its bundle, the devices of its cgroup. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Controllers, deviceHierarchy } from "../cgroup/hierarchy.ts";
import { type Container, deviceRules, seccompOf } from "../oci/config.ts";
import { wantedImage } from "../oci/image.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import type { AttemptMeta, CgroupView, ContainerMeta } from "../plan/observed.ts";
import { pidsBelow } from "./attempts.ts";
import { bundleNotes, bundlesIn, idOf, nodesOf, noteBundle, readNote, removeBundle, writeBundle } from "./bundle.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { ContainerLaunch } from "./container.ts";
import { type Images, imageKey } from "./images.ts";
import { withImage } from "./imageUser.ts";
import { mountsSeenBy } from "./procfs.ts";
import { removeCgroupsOf } from "./runcCgroups.ts";
import type { Tree } from "./tree.ts";

interface Place {
  readonly files: CgroupFiles;
  readonly controllers: Controllers;
  readonly tree: Tree;
  readonly runDirectory: string;
  readonly images: Images;
}

/** How devices.list says that nothing is denied. */
const ALL_DEVICES = "a *:* rwm";

export class Containers {
  private readonly place: Place;
  private readonly bundles: ReturnType<typeof bundlesIn>;

  constructor(place: Place) {
    this.place = place;
    this.bundles = bundlesIn(place.runDirectory);
  }

  /** What it takes to start one. Throws when something that is declared is not there. */
  prepare(
    attempt: string,
    replica: DesiredReplica,
    declared: Container,
    meta: AttemptMeta,
  ): Pick<ContainerLaunch, "attempt" | "engine" | "bundle" | "state" | "managed" | "view" | "inits" | "meta" | "root" | "filter"> {
    const { image } = declared.confinement;
    const wanted = wantedImage(declared.confinement);
    const key = wanted && imageKey(wanted);
    const rootfs = key && this.place.images.rootfs(key);
    const { container, argv } =
      image && key && rootfs ? withImage(declared, replica.argv, image, this.place.images.defaults(key), rootfs) : { container: declared, argv: replica.argv };
    const { engine } = container.facts;
    if ("problem" in engine) throw new Error(engine.problem);
    const bundle = join(this.bundles.directory, attempt);
    const { state } = this.bundles;
    const managed = this.isManaged(container);
    const own = engine.kind === "runc";
    const view = own ? this.viewOf(replica.path) : undefined;
    const known: ContainerMeta = { bundle, engine: engine.path, state, managed, ...(view ? { view } : {}) };
    const filter = own ? undefined : this.filterOf(container, engine.path);
    const compiled = filter && existsSync(filter) ? readFileSync(filter) : undefined;
    const place = `/${this.place.tree.root}/${replica.path}`;
    const cgroupsPath = (name: string): string | undefined => {
      if (own) return view ? `/${name}` : `${place}/${name}`;
      // Others put init commands into the cgroup.
      return managed && name === idOf(attempt) ? place : undefined;
    };
    writeBundle(bundle, container, { ...replica, argv }, cgroupsPath, compiled);
    noteBundle(bundle, { path: replica.path, image: key, ...(own ? { own } : {}) });
    this.allowDevices(container, replica.path, own);
    const inits = replica.initCommands.length;
    const root = rootfs === undefined || !image ? undefined : { lower: rootfs, size: image.writable };
    return {
      attempt,
      engine,
      bundle,
      state,
      managed,
      view,
      inits,
      root,
      filter: compiled ? undefined : filter,
      meta: JSON.stringify({ ...meta, container: known }),
    };
  }

  /** The file with its compiled seccomp profile, by all that it depends on; undefined: it has none. */
  private filterOf(container: Container, engine: string): string | undefined {
    const seccomp = seccompOf(container);
    if (!seccomp) return undefined;
    const { filters } = this.bundles;
    mkdirSync(dirname(filters), { recursive: true, mode: 0o711 });
    mkdirSync(filters, { recursive: true, mode: 0o700 });
    const { mtimeMs, size } = statSync(engine);
    return join(
      filters,
      createHash("sha256")
        .update(JSON.stringify([seccomp, container.facts.kernel, mtimeMs, size]))
        .digest("hex"),
    );
  }

  /**
   * On cgroup v2 runc hands every controller down, from the top to where it makes its cgroup: it is shown the replica's cgroup in the
   * place of all others. On v1 it makes what is missing, below the root's name alone.
   */
  private viewOf(path: string): CgroupView | undefined {
    const { controllers, tree } = this.place;
    const [only, ...others] = controllers.all;
    return only?.version === 2 && others.length === 0 ? { cgroup: tree.directory(only, path), mount: only.mount } : undefined;
  }

  /** Removes what an attempt has left, unless something still runs in it: then it is for sweep(). */
  remove(attempt: string, note = readNote(this.bundles, attempt)): void {
    if (note && this.isInside(attempt, note.path)) return;
    const { files, tree, controllers } = this.place;
    if (note?.own && !removeCgroupsOf(idOf(attempt), note.path, files, tree, controllers)) return;
    removeBundle(this.bundles, attempt);
  }

  /** Removes what attempts that are no more have left; the images that are in use. */
  sweep(isThere: (attempt: string) => boolean): ReadonlySet<string> {
    const used = new Set<string>();
    for (const [attempt, note] of bundleNotes(this.bundles)) {
      const keep = isThere(attempt) || (note !== undefined && this.isInside(attempt, note.path));
      if (!keep) this.remove(attempt, note);
      else if (note?.image !== undefined) used.add(note.image);
    }
    return used;
  }

  /** Whether a process of a cgroup has the root file system of an attempt: its name stands in the mounts that it sees. */
  private isInside(attempt: string, path: string): boolean {
    const { files, controllers, tree } = this.place;
    return (pidsBelow(files, tree.directory(controllers.core, path)) ?? []).some((pid) => mountsSeenBy(pid).includes(`/${attempt}/`));
  }

  /** On v1 its devices are Holdfast's to say; on v2 it takes a program in the cgroup, which the runtime loads. Only root can: others cannot make a device either. */
  private isManaged({ confinement, facts }: Container): boolean {
    const isCrun = !("problem" in facts.engine) && facts.engine.kind === "crun";
    return (
      isCrun && process.geteuid?.() === 0 && !deviceHierarchy(this.place.controllers) && confinement.namespaces.includes("mount") && !confinement.privileged
    );
  }

  /** v1: nothing, and then what is allowed (admin-guide/cgroup-v1/devices). */
  private allowDevices(container: Container, path: string, own: boolean): void {
    const hierarchy = deviceHierarchy(this.place.controllers);
    if (!hierarchy) return;
    const { confinement } = container;
    const directory = this.place.tree.directory(hierarchy, path);
    // What has a cgroup of its own below is kept from devices there. All that there is can be allowed only while nothing is below.
    if (own && this.place.files.read(`${directory}/devices.list`)?.trim() === ALL_DEVICES) return;
    const shielded = confinement.namespaces.includes("mount") && !confinement.privileged && !own;
    const rules = shielded ? deviceRules(nodesOf(container)) : [{ allow: true, access: "rwm" }];
    for (const { allow, access, ...rule } of rules) {
      const { type = "a", major = "*", minor = "*" } = rule as { type?: string; major?: number; minor?: number };
      this.place.files.write(`${directory}/devices.${allow ? "allow" : "deny"}`, `${type} ${major}:${minor} ${access}`);
    }
  }
}
