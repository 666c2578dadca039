/** Knows what is made before a container starts, and what goes when it has ended: its bundle, the devices of its cgroup. */
import { join } from "node:path";
import { type Controllers, deviceHierarchy } from "../cgroup/hierarchy.ts";
import { type Container, deviceRules } from "../oci/config.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import type { AttemptMeta, ContainerMeta } from "../plan/observed.ts";
import { bundlesIn, nodesOf, removeBundle, sweepBundles, writeBundle } from "./bundle.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { ContainerLaunch } from "./container.ts";
import type { Images } from "./images.ts";
import { withImage } from "./imageUser.ts";
import type { Tree } from "./tree.ts";

interface Place {
  readonly files: CgroupFiles;
  readonly controllers: Controllers;
  readonly tree: Tree;
  readonly runDirectory: string;
  readonly images: Images;
}

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
  ): Pick<ContainerLaunch, "attempt" | "engine" | "bundle" | "state" | "managed" | "inits" | "meta" | "root"> {
    const { image, userNamespace } = declared.confinement;
    const key = image && this.place.images.key({ image, mappings: userNamespace });
    const rootfs = key && this.place.images.rootfs(key);
    const { container, argv } =
      image && key && rootfs ? withImage(declared, replica.argv, image, this.place.images.defaults(key), rootfs) : { container: declared, argv: replica.argv };
    const { engine } = container.facts;
    if ("problem" in engine) throw new Error(engine.problem);
    const bundle = join(this.bundles.directory, attempt);
    const { state } = this.bundles;
    const managed = this.isManaged(container);
    const known: ContainerMeta = { bundle, engine: engine.path, state, managed, ...(key ? { image: key } : {}) };
    writeBundle(bundle, container, { ...replica, argv }, managed ? `/${this.place.tree.root}/${replica.path}` : undefined);
    this.allowDevices(container, replica.path);
    const inits = replica.initCommands.length;
    const root = rootfs === undefined || !image ? undefined : { lower: rootfs, size: image.writable };
    return { attempt, engine, bundle, state, managed, inits, root, meta: JSON.stringify({ ...meta, container: known }) };
  }

  remove(attempt: string): void {
    removeBundle(this.bundles, attempt);
  }

  sweep(isThere: (attempt: string) => boolean): void {
    sweepBundles(this.bundles, isThere);
  }

  /** On v1 its devices are Holdfast's to say; on v2 it takes a program in the cgroup, which the runtime loads. */
  private isManaged({ confinement }: Container): boolean {
    return !deviceHierarchy(this.place.controllers) && confinement.namespaces.includes("mount") && !confinement.privileged;
  }

  /** v1: nothing, and then what is allowed (admin-guide/cgroup-v1/devices). */
  private allowDevices(container: Container, path: string): void {
    const hierarchy = deviceHierarchy(this.place.controllers);
    if (!hierarchy) return;
    const { confinement } = container;
    const directory = this.place.tree.directory(hierarchy, path);
    const shielded = confinement.namespaces.includes("mount") && !confinement.privileged;
    const rules = shielded ? deviceRules(nodesOf(container)) : [{ allow: true, access: "rwm" }];
    for (const { allow, access, ...rule } of rules) {
      const { type = "a", major = "*", minor = "*" } = rule as { type?: string; major?: number; minor?: number };
      this.place.files.write(`${directory}/devices.${allow ? "allow" : "deny"}`, `${type} ${major}:${minor} ${access}`);
    }
  }
}
