// Measures one look at everything when nothing has changed: Holdfast's observe and plan against the bare reads of the same files.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BASELINE, ENGINE_PROCESS } from "./build.js";
import { writeManifests } from "./groups.js";
import { directory, end, removeRoot, rootNamed, start } from "./sandbox.js";

const WARM = 5;

/** A child that answers each line with a line. */
function asked(command, words) {
  const child = start(command, words, ["pipe", "pipe", "inherit"]);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await answers.next();
    if (done) throw new Error(`${command} ${words[0]} ended early`);
    return value;
  };
  return {
    child,
    answer,
    pass: () => {
      child.stdin.write("\n");
      return answer();
    },
  };
}

/** Passes of both in turn, in milliseconds; and how many files a pass reads. */
export async function measureAudit(count, { passes, perFile }) {
  const scratch = join(directory, `audit-${count}`);
  const manifests = join(scratch, "manifests");
  const list = join(scratch, "files");
  const root = rootNamed("audit");
  mkdirSync(scratch, { recursive: true });
  writeManifests(manifests, count, perFile);
  const holdfast = asked(process.execPath, [ENGINE_PROCESS, "audit", root, scratch, manifests, list]);
  try {
    const { files, keep } = JSON.parse(await holdfast.answer());
    const c = asked(BASELINE, ["audit", list, String(keep)]);
    try {
      const times = { holdfast: [], c: [] };
      for (let pass = -WARM; pass < passes; pass++) {
        const one = Number(await holdfast.pass());
        const other = Number((await c.pass()).split(" ")[0]) / 1e6;
        if (pass < 0) continue;
        times.holdfast.push(one);
        times.c.push(other);
      }
      const limits = readFileSync(list, "utf8").split("\n");
      return { ...times, files, filesPerGroup: limits.filter((file) => file.includes("/g00000/")).length, kept: Math.min(keep, files) };
    } finally {
      await end(c.child);
    }
  } finally {
    await end(holdfast.child);
    removeRoot(root);
  }
}
