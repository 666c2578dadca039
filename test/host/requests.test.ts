import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { forgetRestart, requestFolder, requestRestart, restartRequests } from "../../src/host/requests.ts";

test("restarts are asked for, found by whoever comes later, and forgotten", () => {
  const top = mkdtempSync(join(tmpdir(), "holdfast-requests-"));
  try {
    expect([...restartRequests(top)]).toEqual([]);
    requestRestart(top, "web", 5);
    requestRestart(top, "web", 7);
    requestRestart(top, "db", 6);
    writeFileSync(join(requestFolder(top), "junk.json"), "{");
    writeFileSync(join(requestFolder(top), "odd.json"), '{"at": "soon"}');
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
