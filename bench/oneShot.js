// Measures what comes and goes: groups made from nothing, and a second run that finds nothing to do.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { BASELINE, ENGINE_PROCESS, HOLDFAST } from "./build.js";
import { kernelFiles, nameOf, verify, writeConfiguration, writeManifests, writePlan } from "./groups.js";
import { directory, finish, removeRoot, rootNamed } from "./sandbox.js";
import { timed } from "./timed.js";

/** The contenders, each with its cold start and, where it has one, its second run. */
function contenders(count, perFile, peers) {
  const scratch = join(directory, `one-shot-${count}`);
  const manifests = join(scratch, "manifests");
  writeManifests(manifests, count, perFile);
  const configuration = join(scratch, "groups.conf");
  const plan = join(scratch, "groups.plan");
  const peer = rootNamed("peer");
  const bare = rootNamed("bare");
  writeConfiguration(configuration, peer, count);
  writePlan(plan, bare, count);
  const cli = rootNamed("cli");
  const [cliRuns, insideRuns] = [join(scratch, "cli"), join(scratch, "inside")];
  const applyWords = [HOLDFAST, "apply", "-f", manifests, "--root", cli, "--run-dir", join(cliRuns, "run"), "--log-dir", join(cliRuns, "log")];
  const files = [...new Set(kernelFiles(1).map(({ name }) => name))].flatMap((name) => ["-r", name]);
  const groups = Array.from({ length: count }, (_, index) => `${peer}/${nameOf(index)}`);
  const inside = rootNamed("inside");
  return {
    ...(peers.cgconfigparser
      ? {
          cgconfigparser: {
            root: peer,
            cold: () => timed("cgconfigparser", ["-l", configuration]),
            again: { cgconfigparser: () => timed("cgconfigparser", ["-l", configuration]), cgget: () => timed("cgget", ["-n", ...files, ...groups]) },
          },
        }
      : {}),
    c: { root: bare, cold: () => timed(BASELINE, ["apply", plan]), again: {} },
    inProcess: {
      root: inside,
      memory: insideRuns,
      cold: () => JSON.parse(finish(process.execPath, ["--semi-space-growth-factor=64", ENGINE_PROCESS, "cold", inside, insideRuns, manifests])),
      again: {},
    },
    wholeProcess: {
      root: cli,
      memory: cliRuns,
      cold: () => timed(process.execPath, applyWords),
      again: { wholeProcess: () => timed(process.execPath, applyWords) },
    },
  };
}

/** Rounds of all contenders in turn, each round beginning with another one. Milliseconds of every round. */
export function measureOneShot(count, { rounds, perFile, peers }) {
  const all = Object.entries(contenders(count, perFile, peers));
  const cold = {};
  const again = {};
  const note = (all, name, measured) => {
    all[name] = [...(all[name] ?? []), measured];
  };
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const [name, contender] = all[(round + turn) % all.length];
      // Cold is without a past: after an earlier run all would be drift, each group with its event.
      if (contender.memory) rmSync(contender.memory, { recursive: true, force: true });
      note(cold, name, contender.cold());
      verify(contender.root, count, name);
      for (const [second, run] of Object.entries(contender.again)) note(again, second, run());
      removeRoot(contender.root);
    }
  }
  return { cold, again };
}
