/** Knows libcgroup's cgrules.conf (cgrules.conf(5)), and how its rules become members of LimitGroups. */
import { type ConfiguredGroup, groupsToObjects } from "./cgconfig.ts";
import { type DraftObject, type Imported, NotImportable } from "./draft.ts";

interface Rule {
  readonly line: number;
  readonly user: string;
  readonly program: string | undefined;
  readonly destination: string;
}

/** Throws NotImportable where the text is no such file. */
function parseRules(text: string, file: string, notes: string[]): Rule[] {
  const rules: Rule[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const words = raw.replace(/#.*$/, "").trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    const [who = "", controllers = "", destination, ...options] = words;
    if (destination === undefined)
      throw new NotImportable(`${file}:${index + 1}: expected <user>[:<process>] <controllers> <destination>, found ${raw.trim()}`);
    // The same processes as on the line before, for other controllers: a member is in all hierarchies in which its group has limits.
    if (who === "%") {
      if (rules.at(-1)?.destination !== destination)
        notes.push(`${file}:${index + 1}: ${controllers} ${destination} is left out: a member has one group for all controllers`);
      continue;
    }
    if (options.length > 0) notes.push(`${file}:${index + 1}: the option ${options.join(" ")} is left out`);
    const colon = who.indexOf(":");
    const [user, program] = colon < 0 ? [who, undefined] : [who.slice(0, colon), who.slice(colon + 1)];
    rules.push({ line: index + 1, user, program, destination: destination.replace(/^\/+|\/+$/g, "") });
  }
  return rules;
}

const who = ({ user, program }: Rule): Record<string, unknown> => ({
  ...(user === "*" ? {} : user.startsWith("@") ? { group: user.slice(1) } : { user }),
  ...(program === undefined ? {} : program.startsWith("/") ? { exe: program } : { comm: program.slice(0, 15) }),
});

/**
 * Rules with the groups that they lead to. `configured`: groups and templates of cgconfig.conf. A template becomes a group for each user that a rule names, or that is among `users`.
 */
export function rulesToObjects(
  text: string,
  file: string,
  configured: { readonly file: string; readonly groups: readonly ConfiguredGroup[]; readonly templates: readonly ConfiguredGroup[] },
  users: readonly string[],
): Imported {
  const notes: string[] = [];
  const members = new Map<string, Record<string, unknown>[]>();
  const add = (path: string, rule: Record<string, unknown>): void => void members.set(path, [...(members.get(path) ?? []), rule]);
  for (const rule of parseRules(text, file, notes)) {
    const { line, user, destination } = rule;
    if (user === "*" && rule.program === undefined && !destination.includes("%")) notes.push(`${file}:${line}: left out: it means every process of the host`);
    else if (!destination.includes("%")) add(destination, who(rule));
    else if (/%[^u]/.test(destination)) notes.push(`${file}:${line}: ${destination} is left out: of the variables only %u is known here`);
    else {
      const named = user === "*" || user.startsWith("@") ? users : [user];
      if (named.length === 0) notes.push(`${file}:${line}: ${destination} is left out: say for whom (--users alice,bob)`);
      for (const name of named) add(destination.replaceAll("%u", name), { ...who(rule), user: name });
    }
  }
  const groupFor = (path: string): ConfiguredGroup => {
    const template = configured.templates.find((one) =>
      new RegExp(`^${one.path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("%u", "[^/]+")}$`).test(path),
    );
    return configured.groups.find((one) => one.path === path) ?? { path, line: template?.line ?? 0, values: template?.values ?? new Map() };
  };
  const known = new Map(configured.groups.map((group) => [group.path, group]));
  for (const path of members.keys()) known.set(path, groupFor(path));
  const { objects, notes: more, nameOf } = groupsToObjects([...known.values()], configured.file, false);
  const byName = new Map([...members].map(([path, rules]) => [nameOf.get(path), rules]));
  if (members.size > 1)
    notes.push(`${file}: of several rules that fit, the first counts by the names of the groups, not by the line: look whether one process fits two`);
  if (members.size > 0) notes.push(`${file}: processes of systemd units, containers and other people's cgroups are left there unless a rule says cgroup: PATH`);
  const withMembers = objects.map((object): DraftObject => {
    const rules = byName.get(object.metadata.name);
    return rules ? { ...object, spec: { ...object.spec, members: rules } } : object;
  });
  return { objects: withMembers, notes: [...notes, ...more] };
}
