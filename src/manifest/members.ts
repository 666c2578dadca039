/** Knows what is right in spec.members beyond its schema: globs and regular expressions that are ones. */
import { whyNoGlob } from "../api/glob.ts";
import { patternOf } from "../api/pattern.ts";
import type { Report } from "../api/problem.ts";
import type { Member } from "../api/schema.ts";

/** The rules, with cgroups as the kernel writes them but for the first slash. */
export function members(rules: readonly Member[], report: Report, pointer = "/spec/members"): readonly Member[] {
  return rules.map((rule, index) => member(rule, `${pointer}/${index}`, report));
}

function member(rule: Member, pointer: string, report: Report): Member {
  const glob = (field: "exe" | "cgroup"): void => {
    const why = rule[field] === undefined ? undefined : whyNoGlob(rule[field]);
    if (why !== undefined) report("InvalidValue", `${pointer}/${field}`, `expected a glob, found ${JSON.stringify(rule[field])}: ${why}`);
  };
  glob("exe");
  glob("cgroup");
  try {
    if (rule.cmdline !== undefined) patternOf(rule.cmdline);
  } catch (error) {
    report("InvalidValue", `${pointer}/cmdline`, `expected a regular expression: ${(error as Error).message}`);
  }
  return {
    ...rule,
    ...(rule.cgroup === undefined ? {} : { cgroup: rule.cgroup.replace(/^\/+/, "") }),
    ...(rule.not === undefined ? {} : { not: member(rule.not, `${pointer}/not`, report) }),
    ...(rule.any === undefined ? {} : { any: [...members(rule.any, report, `${pointer}/any`)] }),
  };
}
