/** Knows what is made before a container starts, and what goes when it has ended: its bundle, the devices of its cgroup. */
import { join } from "node:path";
import { type Controllers, deviceHierarchy } from "../cgroup/hierarchy.ts";
import { type Container, deviceRules } from "../oci/config.ts";
import type { DesiredReplica } from "../plan/desired.ts";
import type { AttemptMeta, ContainerMeta } from "../plan/observed.ts";
import { bundlesIn, nodesOf, removeBundle, sweepBundles, writeBundle } from "./bundle.ts";
import type { CgroupFiles } from "./cgroupfs.ts";
import type { ContainerLaunch } from "./container.ts";
import type { Tree } from "./tree.ts";

export class Containers {
  private readonly files: CgroupFiles;
  private readonly controllers: Controllers;
  private readonly tree: Tree;
  private readonly bundles: ReturnType<typeof bundlesIn>;

  constructor(files: CgroupFiles, controllers: Controllers, tree: Tree, runDirectory: string) {
    this.files = files;
    this.controllers = controllers;
    this.tree = tree;
    this.bundles = bundlesIn(runDirectory);
  }

  /** What it takes to start one. Throws when something that is declared is not there. */
  prepare(
    attempt: string,
    replica: DesiredReplica,
    container: Container,
    meta: AttemptMeta,
  ): Pick<ContainerLaunch, "attempt" | "engine" | "bundle" | "state" | "managed" | "inits" | "meta"> {
    const { engine } = container.facts;
    if ("problem" in engine) throw new Error(engine.problem);
    const bundle = join(this.bundles.directory, attempt);
    const { state } = this.bundles;
    const managed = this.isManaged(container);
    const known: ContainerMeta = { bundle, engine: engine.path, state, managed };
    writeBundle(bundle, container, replica, managed ? `/${this.tree.root}/${replica.path}` : undefined);
    this.allowDevices(container, replica.path);
    const inits = replica.initCommands.length;
    return { attempt, engine, bundle, state, managed, inits, meta: JSON.stringify({ ...meta, container: known }) };
  }

  remove(attempt: string): void {
    removeBundle(this.bundles, attempt);
  }

  sweep(isThere: (attempt: string) => boolean): void {
    sweepBundles(this.bundles, isThere);
  }

  /** On v1 its devices are Holdfast's to say; on v2 it takes a program in the cgroup, which the runtime loads. */
  private isManaged({ confinement }: Container): boolean {
    return !deviceHierarchy(this.controllers) && confinement.namespaces.includes("mount") && !confinement.privileged;
  }

  /** v1: nothing, and then what is allowed (admin-guide/cgroup-v1/devices). */
  private allowDevices(container: Container, path: string): void {
    const hierarchy = deviceHierarchy(this.controllers);
    if (!hierarchy) return;
    const { confinement } = container;
    const directory = this.tree.directory(hierarchy, path);
    const shielded = confinement.namespaces.includes("mount") && !confinement.privileged;
    const rules = shielded ? deviceRules(nodesOf(container)) : [{ allow: true, access: "rwm" }];
    for (const { allow, access, ...rule } of rules) {
      const { type = "a", major = "*", minor = "*" } = rule as { type?: string; major?: number; minor?: number };
      this.files.write(`${directory}/devices.${allow ? "allow" : "deny"}`, `${type} ${major}:${minor} ${access}`);
    }
  }
}
