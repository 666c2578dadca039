/** Knows an audit as one page that needs nothing else: no script, no other file, in light and dark. */
import { printable } from "../api/printable.ts";
import type { Problem } from "../api/problem.ts";
import { problemLine } from "../api/problem.ts";
import type { FieldDrift } from "../api/status.ts";
import { isUnmanaged, type Owned, type OwnedProcess } from "../reconcile/ownership.ts";
import { plural } from "./print.ts";

export interface AuditPage {
  readonly host: string;
  readonly time: string;
  readonly version: string;
  readonly root: string;
  readonly directory: string;
  readonly objects: number;
  /** What to do, in words, with its object and the manifest's line. */
  readonly drift: readonly Line[];
  readonly pending: readonly Line[];
  readonly problems: readonly Problem[];
  readonly owners: readonly Owned[];
}

interface Line {
  readonly object: string;
  readonly what: string;
  readonly source: string | undefined;
  readonly record?: FieldDrift | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
/** Names of processes and cgroups are anybody's words. */
const html = (text: string): string => printable(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--back:#fff;--card:#f6f8fa;--good:#1a7f37;--warn:#9a6700;--bad:#cf222e;--blue:#0969da}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--back:#0d1117;--card:#151b23;--good:#3fb950;--warn:#d29922;--bad:#f85149;--blue:#4493f8}}
*{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}
main{max-width:70rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
.soft{color:var(--soft)}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.8rem;margin-top:1.2rem}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}.tile b{display:block;font-size:1.6rem;line-height:1.2}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--soft)}
.scroll{overflow-x:auto}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}details{margin:.2rem 0}summary{cursor:pointer}
.bar{fill:var(--blue)}.track{fill:var(--line)}.fgood{fill:var(--good)}.fwarn{fill:var(--warn)}.fbad{fill:var(--bad)}ul{margin:.3rem 0;padding-left:1.2rem}`;

const tone = (exposure: number): "good" | "warn" | "bad" => (exposure >= 7.5 ? "bad" : exposure >= 5 ? "warn" : "good");

const tile = (value: number | string, label: string, kind = ""): string =>
  `<div class="tile"><b class="${kind}">${html(String(value))}</b><span class="soft">${html(label)}</span></div>`;

function lines(title: string, all: readonly Line[], none: string): string {
  if (all.length === 0) return `<h2>${title}</h2><p class="soft">${none}</p>`;
  const rows = all.map(({ object, what, source, record }) => {
    const seen =
      record === undefined
        ? ""
        : `${record.kind}, ${record.count} times, first ${record.firstSeen}${record.lastApplied === undefined ? "" : `, last applied ${record.lastApplied}`}`;
    return `<tr><td>${html(object)}</td><td><code>${html(what)}</code></td><td><code>${html(source ?? "")}</code></td><td class="soft">${html(seen)}</td></tr>`;
  });
  return `<h2>${title}</h2><div class="scroll"><table><thead><tr><th>Object</th><th>Difference</th><th>Manifest</th><th>Known of it</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

/** How many owners have a bar of their own. */
const MOST_BARS = 12;

/** A bar for each owner, as long as it has processes. */
function ownersPicture(owners: readonly Owned[]): string {
  const shown = owners.slice(0, MOST_BARS);
  const most = Math.max(1, ...shown.map(({ processes }) => processes.length));
  const rows = shown.map(({ owner, processes, governed, kind }, index) => {
    const [y, width] = [index * 26, Math.max(2, (processes.length / most) * 380)];
    const name = `${owner}${governed ? " (governed)" : ""}`;
    return `<text x="0" y="${y + 16}">${html(name.length > 44 ? `${name.slice(0, 43)}…` : name)}</text><rect class="${isUnmanaged({ kind, governed }) ? "bar" : "fgood"}" x="300" y="${y + 4}" width="${width.toFixed(1)}" height="16" rx="3"/><text x="${(306 + width).toFixed(1)}" y="${y + 16}">${processes.length}</text>`;
  });
  return `<svg viewBox="0 0 740 ${shown.length * 26 + 4}" role="img" aria-label="Processes by who looks after them">${rows.join("")}</svg>`;
}

/** How many processes there are of each whole number of exposure. */
function exposurePicture(processes: readonly OwnedProcess[]): string {
  const counts = Array.from({ length: 11 }, (_, score) => processes.filter(({ exposure }) => Math.min(10, Math.floor(exposure.most)) === score).length);
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, score) => {
    const height = count === 0 ? 0 : Math.max(3, (count / most) * 110);
    const x = 10 + score * 64;
    return `<rect class="f${tone(score)}" x="${x}" y="${(130 - height).toFixed(1)}" width="50" height="${height.toFixed(1)}" rx="3"/><text x="${x + 25}" y="${(124 - height).toFixed(1)}" text-anchor="middle">${count || ""}</text><text x="${x + 25}" y="148" text-anchor="middle">${score}</text>`;
  });
  return `<svg viewBox="0 0 720 156" role="img" aria-label="Processes by exposure, from 0 to 10">${bars.join("")}</svg>`;
}

/** So many processes of each owner are listed, the most exposed first. */
const MOST_LISTED = 200;

function processRow({ pid, comm, cgroup, exposure }: OwnedProcess): string {
  const { least, most, level, failed, unknown } = exposure;
  const score = least === most ? most.toFixed(1) : `${least.toFixed(1)}–${most.toFixed(1)}`;
  const list = [
    ...failed.map(({ title, dockerBench }) => `${title}${dockerBench === undefined ? "" : ` (docker-bench ${dockerBench})`}`),
    ...unknown.map(({ title }) => `unknown whether it ${title}`),
  ];
  const bar = `<svg viewBox="0 0 100 8" width="100" aria-hidden="true"><rect class="track" width="100" height="8" rx="4"/><rect class="f${tone(most)}" width="${most * 10}" height="8" rx="4"/></svg>`;
  return `<tr><td>${pid}</td><td>${html(comm)}</td><td><code>${html(cgroup)}</code></td><td style="min-width:8rem"><span class="${tone(most)}">${score} ${level}</span>${bar}</td><td><details><summary>${failed.length} failed, ${unknown.length} unknown</summary><ul>${list.map((one) => `<li>${html(one)}</li>`).join("")}</ul></details></td></tr>`;
}

function ownerSection({ owner, kind, governed, cgroups, processes }: Owned): string {
  const more = processes.length > MOST_LISTED ? `<p class="soft">… and ${processes.length - MOST_LISTED} less exposed ones</p>` : "";
  const head = `${html(owner)} <span class="soft">${plural(processes.length, "process", "processes")}, ${plural(cgroups.length, "cgroup")}${governed ? ", governed" : isUnmanaged({ kind, governed }) ? ", unmanaged" : ""}</span>`;
  return `<details${kind === "holdfast" ? " open" : ""}><summary>${head}</summary><div class="scroll"><table><thead><tr><th>PID</th><th>Name</th><th>Cgroup</th><th>Exposure</th><th>Checks</th></tr></thead><tbody>${processes.slice(0, MOST_LISTED).map(processRow).join("")}</tbody></table></div>${more}</details>`;
}

export function auditPage({ host, time, version, root, directory, objects, drift, pending, problems, owners }: AuditPage): string {
  const processes = owners.flatMap((one) => one.processes);
  const unmanaged = owners.filter(isUnmanaged).reduce((sum, one) => sum + one.processes.length, 0);
  const worst = Math.max(0, ...owners.filter(({ kind }) => kind === "holdfast").flatMap((one) => one.processes.map(({ exposure }) => exposure.most)));
  const found =
    problems.length === 0 ? "" : `<h2>Problems</h2><ul>${problems.map((problem) => `<li><code>${html(problemLine(problem))}</code></li>`).join("")}</ul>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Holdfast audit of ${html(host)}</title><style>${STYLE}</style></head><body><main>
<h1>Audit of ${html(host)}</h1><p class="soft">${html(time)} · holdfast ${html(version)} · root cgroup <code>${html(root)}</code> · manifests <code>${html(directory)}</code></p>
<div class="tiles">${tile(objects, "objects")}${tile(drift.length, "drifted", drift.length > 0 ? "bad" : "good")}${tile(pending.length, "not applied yet", pending.length > 0 ? "warn" : "")}${tile(problems.length, "problems", problems.length > 0 ? "warn" : "")}${tile(processes.length, "processes")}${tile(unmanaged, "of them unmanaged")}${tile(worst.toFixed(1), "worst exposure of Holdfast's", tone(worst))}</div>
${lines("Drift", drift, "The machine is as it was applied.")}${lines("Not applied yet", pending, "Everything that the manifests say was applied.")}${found}
<h2>Who looks after the processes</h2>${ownersPicture(owners)}
<h2>Exposure</h2><p class="soft">From 0 (confined) to 10, by the formula of systemd-analyze security over ${html("the checks of docker-bench-security")}. What could not be read counts as unknown, never as well: then it is a range.</p>${exposurePicture(processes)}
<h2>Processes</h2>${owners.map(ownerSection).join("")}
</main></body></html>
`;
}
