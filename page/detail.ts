/** Knows one object in full: its limits and where each comes from, what became of it, its manifest, and what it used. */
import uPlot from "uplot";
import { byId, colour, make, tableOf } from "./dom.ts";
import { bytes, type Detail, type Point, percent } from "./model.ts";

/** Steps that are whole numbers in a unit of bytes. */
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);

interface Unit {
  readonly format: (value: number) => string;
  readonly steps?: number[];
}
const SHARE: Unit = { format: percent };
const BYTES: Unit = { format: bytes, steps: BINARY };

function chartOf(title: string, points: readonly Point[], of: (point: Point) => number, { format, steps }: Unit): HTMLElement {
  const box = make("div");
  box.append(make("h3", title));
  if (points.length < 2) {
    box.append(make("p", "not measured for long enough yet", { class: "soft" }));
    return box;
  }
  const values = points.map(of);
  const plot = make("div", "", { role: "img", "aria-label": `${title}: now ${format(values.at(-1) ?? 0)}, at most ${format(Math.max(...values))}` });
  box.append(plot);
  const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 } };
  queueMicrotask(
    () =>
      new uPlot(
        {
          width: Math.max(240, Math.min(460, plot.clientWidth || 320)),
          height: 150,
          legend: { show: false },
          series: [{}, { label: title, stroke: () => colour("--blue"), width: 1.5, points: { show: false } }],
          axes: [
            // As the events are told; not wider than their space.
            { ...axis, size: 36, space: 100, values: (_plot, ticks) => ticks.map((seconds) => new Date(seconds * 1000).toLocaleTimeString()) },
            { ...axis, size: 76, values: (_plot, ticks) => ticks.map(format), ...(steps ? { incrs: steps } : {}) },
          ],
          scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        },
        [points.map(({ time }) => time / 1000), values],
        plot,
      ),
  );
  return box;
}

export async function showDetail(key: string, ask: <T>(path: string) => Promise<T>): Promise<void> {
  const query = `key=${encodeURIComponent(key)}`;
  const [detail, points] = await Promise.all([ask<Detail>(`/dashboard/object?${query}`), ask<Point[]>(`/dashboard/history?${query}`)]);
  const { status, limits, inherited } = detail;
  byId("detail-title").textContent = key;
  const body = byId("detail-body");
  body.replaceChildren(make("p", `Declared in ${detail.source}; cgroup ${status.cgroup}`, { class: "soft" }));
  const charts = make("div", "", { class: "charts" });
  body.append(charts);
  body.append(make("h3", "Limits: where each value comes from"));
  body.append(
    limits.length === 0
      ? make("p", "none declared: everything is at the kernel’s default", { class: "soft" })
      : tableOf(
          ["Limit", "Declared", "Kernel", "Manifest"],
          limits.map(({ knob, declared, asDeclared, source }) => [
            knob,
            declared,
            asDeclared === null ? "–" : make("span", asDeclared ? "as declared" : "differs", { class: asDeclared ? "good" : "bad" }),
            source,
          ]),
        ),
  );
  if (inherited.length > 0)
    body.append(
      make("h3", "And the limits of the groups around it"),
      tableOf(
        ["Group", "Limits", "Manifest"],
        inherited.map(({ group, limits: words, source }) => [group, words, source]),
      ),
    );
  body.append(
    make("h3", "Conditions"),
    tableOf(
      ["Type", "Status", "Reason", "Message"],
      status.conditions.map((one) => [one.type, one.status, one.reason, one.message]),
    ),
  );
  if (status.replicaStatuses?.length)
    body.append(
      make("h3", "Replicas"),
      tableOf(
        ["Name", "Ready", "State", "Restarts"],
        status.replicaStatuses.map(({ name, ready, state, restartCount }) => [name, ready ? "yes" : "no", Object.keys(state)[0] ?? "", String(restartCount)]),
      ),
    );
  if (status.members)
    body.append(
      make("h3", `Members: ${status.members.expectedCount}`),
      make("p", status.members.expected.map(({ pid, command }) => `${pid} ${command}`).join(", ") || "none"),
    );
  const fields = status.drift?.fields ?? [];
  if (fields.length > 0)
    body.append(
      make("h3", "Drift"),
      tableOf(
        ["Field", "Was", "Should be", "Times", "Last", "Manifest"],
        fields.map((one) => [one.field, one.observed, one.desired, String(one.count), new Date(one.lastSeen).toLocaleString(), one.source ?? ""]),
      ),
    );
  const usage = Object.entries(detail.usage).map(([name, value]) => [name, /memory$|swap|Bytes/.test(name) ? bytes(value) : String(value)]);
  body.append(
    make("h3", "Usage"),
    tableOf(["What", "Now, or since the cgroup was made"], usage),
    make("h3", "Manifest"),
    make("pre", detail.manifest.trim(), { tabindex: "0" }),
  );
  const dialog = byId<HTMLDialogElement>("detail");
  if (!dialog.open) dialog.showModal();
  charts.append(
    chartOf("CPU", points, ({ cpu }) => cpu, SHARE),
    chartOf("Memory", points, ({ memory }) => memory, BYTES),
    chartOf("Disk, bytes per second", points, ({ read, write }) => read + write, BYTES),
  );
}
