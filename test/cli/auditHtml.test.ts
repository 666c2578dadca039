import { expect, test } from "@jest/globals";
import { CHECKS } from "../../src/audit/checks.ts";
import { auditPage } from "../../src/cli/auditHtml.ts";

const EVIL = `<script>alert("1")</script>'&`;

test("the page needs nothing else, and names of processes and cgroups are only text in it", () => {
  const exposure = { least: 1.2, most: 8.4, level: "EXPOSED" as const, failed: CHECKS.slice(0, 2), unknown: CHECKS.slice(2, 3) };
  const page = auditPage({
    ...{ host: EVIL, time: "2026-01-01T00:00:00Z", version: "1", root: EVIL, directory: EVIL, objects: 2 },
    drift: [{ object: "LimitGroup/a", what: EVIL, source: "a.yaml:3" }],
    pending: [],
    problems: [{ reason: "Blocked", file: EVIL, line: 1, column: 1, pointer: "", message: EVIL }],
    owners: [{ owner: EVIL, kind: "unknown", governed: false, cgroups: [EVIL], processes: [{ pid: 7, comm: EVIL, cgroup: EVIL, exposure }] }],
  });
  expect(page).not.toContain("<script");
  expect(page).not.toMatch(/(src|href)=/);
  expect(page).toContain("default-src 'none'");
  expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;");
  expect(page).toContain("1.2–8.4 EXPOSED");
  expect(page).toContain("unknown whether it");
  expect(page.match(/<svg/g)?.length).toBe(3);
});
