/** Knows how what an image says (user, variables, command, directory) and what a manifest says become one container. */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "../api/confinement.ts";
import type { Container } from "../oci/config.ts";
import type { ImageDefaults } from "../oci/image.ts";

/** Throws when the user that is asked for is not one of the image's. */
export function withImage(
  container: Container,
  argv: readonly string[],
  { takes }: Image,
  { Entrypoint, Cmd, Env, User = "", WorkingDir }: ImageDefaults,
  rootfs: string,
): { readonly container: Container; readonly argv: readonly string[] } {
  const words = [...(takes.includes("entrypoint") ? (Entrypoint ?? []) : []), ...(takes.includes("cmd") ? (Cmd ?? []) : argv)];
  if (words.length === 0) throw new Error("the image has no command: write spec.command");
  const own = (Env ?? []).map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)] as const);
  const declared = new Set(container.env.map(([name]) => name));
  const env = [...own.filter(([name]) => !declared.has(name)), ...container.env];
  const { user, group, supplementaryGroups } = container.identity;
  const [imageUser = "", imageGroup = ""] = User.split(":");
  const person = whoIs(rootfs, takes.includes("user") ? imageUser : (user ?? ""), group ?? (takes.includes("user") ? imageGroup : ""), supplementaryGroups);
  if (container.confinement.runAsNonRoot && person.uid === 0) throw new Error("runAsNonRoot: true, and the image would run as user 0: declare another user");
  return { container: { ...container, env, user: person, cwd: takes.includes("workingDir") ? WorkingDir || "/" : container.cwd }, argv: words };
}

/** Users and groups by the image's own files; numbers need not be there. */
function whoIs(rootfs: string, user: string | number, group: string | number, more: readonly (string | number)[] | undefined): Container["user"] {
  const people = entriesOf(rootfs, "etc/passwd");
  const groups = entriesOf(rootfs, "etc/group");
  const wanted = user === "" ? "0" : String(user);
  const found = people.find(([name, , id]) => name === wanted || id === wanted);
  const uid = Number(found?.[2] ?? wanted);
  if (!isId(uid)) throw new Error(`the image has no user ${user}`);
  const groupOf = (given: string | number): number => {
    const gid = Number(groups.find(([name]) => name === String(given))?.[2] ?? given);
    if (!isId(gid)) throw new Error(`the image has no group ${given}`);
    return gid;
  };
  const name = found?.[0];
  const member = groups.filter(([, , , members = ""]) => name !== undefined && members.split(",").includes(name)).map(([, , gid]) => Number(gid));
  return { uid, gid: group === "" ? Number(found?.[3] ?? 0) : groupOf(group), groups: more ? more.map(groupOf) : member };
}

const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1;

/** Lines of passwd(5) or group(5); a link could lead to the host's own. */
function entriesOf(rootfs: string, name: string): string[][] {
  const file = join(rootfs, name);
  const isPlain = (path: string, directory: boolean): boolean => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return directory ? stat?.isDirectory() === true : stat?.isFile() === true;
  };
  if (!isPlain(join(rootfs, "etc"), true) || !isPlain(file, false)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter(([entry, , id = ""]) => entry !== "" && /^\d+$/.test(id));
}
