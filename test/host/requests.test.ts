import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { forgetHold, forgetRestart, holdRequests, requestFolders, requestHold, requestRestart, restartRequests } from "../../src/host/requests.ts";

test("restarts are asked for, found by whoever comes later, and forgotten", () => {
  const top = mkdtempSync(join(tmpdir(), "holdfast-requests-"));
  try {
    expect([...restartRequests(top)]).toEqual([]);
    requestRestart(top, "web", 5);
    requestRestart(top, "web", 7);
    requestRestart(top, "db", 6);
    writeFileSync(join(requestFolders(top)[0] ?? "", "junk.json"), "{");
    writeFileSync(join(requestFolders(top)[0] ?? "", "odd.json"), '{"at": "soon"}');
    expect([...restartRequests(top)].sort()).toEqual([
      ["db", 6],
      ["web", 7],
    ]);
    forgetRestart(top, "web");
    forgetRestart(top, "web");
    expect([...restartRequests(top)]).toEqual([["db", 6]]);
  } finally {
    rmSync(top, { recursive: true });
  }
});

test("holds are kept by object, with their time and reason", () => {
  const top = mkdtempSync(join(tmpdir(), "holdfast-requests-"));
  try {
    const hold = { since: 1, until: 2, reason: "why" };
    requestHold(top, "LimitGroup/batch", hold);
    requestHold(top, "Workload/batch", { ...hold, until: 3 });
    writeFileSync(join(requestFolders(top)[1] ?? "", "odd.json"), '{"until": "soon"}');
    expect([...holdRequests(top)].sort()).toEqual([
      ["LimitGroup/batch", hold],
      ["Workload/batch", { ...hold, until: 3 }],
    ]);
    forgetHold(top, "LimitGroup/batch");
    expect([...holdRequests(top).keys()]).toEqual(["Workload/batch"]);
  } finally {
    rmSync(top, { recursive: true });
  }
});
