// Knows what the table says: from the raw numbers to lines with a ratio, a goal where there is one, and whether it is met.
import { median, pairedRatio, quantile } from "./statistics.js";

/** @typedef {{ groups: number, what: string, value: number, unit: string, detail: string, goal?: number, met?: boolean }} Line */

const ms = (runs) => runs.map((run) => run.ms);
const cpu = (runs) => median(runs.map(({ cpuMs }) => cpuMs)).toFixed(0);
const number = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

/** A line; the goal, if any, is the most that the value may be. */
function line(groups, what, value, unit, detail, goal) {
  return { groups, what, value, unit, detail, ...(goal === undefined ? {} : { goal, met: value <= goal }) };
}

const at1000 = (groups, goal) => (groups === 1000 ? goal : undefined);

/** Cold and second runs, as parts of what the peer needs. @returns {Line[]} */
export function oneShotLines(groups, { cold, again }) {
  const told = (runs) => `${number(median(ms(runs)))} ms (CPU ${cpu(runs)})`;
  const ratio = (runs, others) => pairedRatio(ms(runs), ms(others));
  const lines = [];
  const peer = cold.cgconfigparser;
  const goals = { inProcess: at1000(groups, 0.3), wholeProcess: at1000(groups, 0.5) };
  const names = { inProcess: "cold apply, converge() alone", wholeProcess: "cold apply, whole process", c: "cold apply, bare C" };
  for (const [name, what] of Object.entries(names)) {
    const runs = cold[name];
    if (peer) lines.push(line(groups, what, ratio(runs, peer), "x cgconfigparser", `${told(runs)} : ${told(peer)}`, goals[name]));
    else lines.push(line(groups, what, ratio(runs, cold.c), "x bare C", `${told(runs)} : ${told(cold.c)}`));
  }
  if (peer) lines.push(line(groups, "cold apply, converge() alone", ratio(cold.inProcess, cold.c), "x bare C", `${told(cold.inProcess)} : ${told(cold.c)}`));
  if (!again.cgconfigparser) return lines;
  const second = again.wholeProcess;
  for (const other of ["cgconfigparser", "cgget"]) {
    const goal = other === "cgconfigparser" ? at1000(groups, 0.25) : undefined;
    lines.push(line(groups, "re-apply, whole process", ratio(second, again[other]), `x ${other}`, `${told(second)} : ${told(again[other])}`, goal));
  }
  return lines;
}

/** @returns {Line[]} */
export function auditLines(groups, { holdfast, c, files, filesPerGroup, kept }) {
  const detail = `${number(median(holdfast))} ms : ${number(median(c))} ms; ${files} files (${filesPerGroup} a group), ${kept} kept open`;
  return [line(groups, "audit pass", pairedRatio(holdfast, c), "x bare C", detail, 1.5)];
}

const spread = (times) => `max ${number(Math.max(...times))} ms`;

/** @returns {Line[]} */
export function driftLines(groups, { times, lost, lostFiles }) {
  const all = times.length + lost;
  return [
    line(groups, "drift repaired, p50", quantile(times, 0.5), "ms", `${all} writes`, 1),
    line(groups, "drift repaired, p99", quantile(times, 0.99), "ms", spread(times), 10),
    line(groups, "drift lost", lost, `of ${all}`, lostFiles.join(" ") || "none", 0),
  ];
}

/** @returns {Line[]} */
export function editLines(groups, { times, lost }, how, goal) {
  return [
    line(groups, `edit in force, p50 (${how})`, quantile(times, 0.5), "ms", `${times.length + lost} edits, ${lost} lost`, goal),
    line(groups, `edit in force, p99 (${how})`, quantile(times, 0.99), "ms", spread(times)),
  ];
}

/** @returns {Line[]} */
export function idleLines(groups, { percent, rssMiB, pssMiB, readyMs, after }) {
  return [
    line(groups, "idle, CPU", percent, "% of a core", `resync 10 s; ready ${number(readyMs)} ms after its start`, at1000(groups, 0.3)),
    line(groups, "idle, RSS", rssMiB, "MiB", `PSS ${number(pssMiB)} MiB; after drift and edits RSS ${number(after.rssMiB)}`, at1000(groups, 64)),
  ];
}

/** The lines as a table for people. @param {readonly Line[]} lines */
export function tableOf(lines) {
  const head = ["groups", "what", "measured", "", "goal", "", "in numbers"];
  const rows = lines.map(({ groups, what, value, unit, detail, goal, met }) => [
    String(groups),
    what,
    number(value),
    unit,
    goal === undefined ? "" : `<= ${goal}`,
    met === undefined ? "" : met ? "pass" : "MISS",
    detail,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const right = new Set([0, 2, 4]);
  const shown = (row) =>
    row
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(shown).join("\n");
}
