/** Knows where a cgroup of ours is in the file system. */
import type { Hierarchy } from "../cgroup/hierarchy.ts";
import { type CgroupPath, isForeign } from "../cgroup/path.ts";

/** The place below every hierarchy that is Holdfast's: `--root`. */
export class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** `/sys/fs/cgroup/memory/holdfast/batch`. */
  directory(hierarchy: Pick<Hierarchy, "mount">, path: CgroupPath | string): string {
    if (isForeign(path)) return `${hierarchy.mount}${path}`;
    return path === "" ? `${hierarchy.mount}/${this.root}` : `${hierarchy.mount}/${this.root}/${path}`;
  }

  /** The cgroup that a directory is. */
  pathOf(hierarchies: readonly Pick<Hierarchy, "mount">[], directory: string): CgroupPath {
    for (const hierarchy of hierarchies) {
      const root = this.directory(hierarchy, "");
      if (directory === root || directory.startsWith(`${root}/`)) return directory.slice(root.length + 1) as CgroupPath;
    }
    const mount = hierarchies.map((hierarchy) => hierarchy.mount).find((path) => directory.startsWith(`${path}/`));
    if (mount === undefined) throw new Error(`${directory} is no cgroup`);
    return directory.slice(mount.length) as CgroupPath;
  }

  /** The directories from the mount down to the root: all that must be made for it to exist. */
  wayToRoot(hierarchy: Pick<Hierarchy, "mount">): string[] {
    const parts = this.root.split("/");
    return parts.map((_, index) => `${hierarchy.mount}/${parts.slice(0, index + 1).join("/")}`);
  }
}

/** Below it, each attempt has a cgroup for its holder. */
export const HOLDERS = ".holders";

/** The directory that says which controller is at work: `.controller-PID-STARTTICKS`. */
export const LOCK_PREFIX = ".controller-";
