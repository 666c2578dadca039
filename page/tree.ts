/** Knows the tree of groups and workloads: usage against limits as bars, and the last minutes as a line. */
import uPlot from "uplot";
import { byId, colour, make } from "./dom.ts";
import { bytes, type Point, percent, type Summary } from "./model.ts";

export interface Row {
  object: Summary;
  readonly element: HTMLTableRowElement;
  readonly cells: readonly HTMLTableCellElement[];
  points: Point[];
  chart: uPlot | undefined;
  visible: boolean;
}

export const rows = new Map<string, Row>();
/** Only what can be seen is drawn. */
export const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const row = rows.get((target as HTMLElement).dataset["key"] ?? "");
    if (!row) continue;
    row.visible = isIntersecting;
    if (isIntersecting) drawLine(row);
  }
});

function gauge(cell: HTMLTableCellElement, text: string, share: number | undefined, label: string): void {
  if (!cell.firstChild) {
    cell.className = "gauge";
    cell.append(make("span"), make("span", "", { class: "track", "aria-hidden": "true" }));
    cell.lastElementChild?.append(make("i"));
  }
  const [words, track] = cell.children as unknown as [HTMLElement, HTMLElement];
  if (words.textContent !== text) words.textContent = text;
  cell.setAttribute("aria-label", label);
  track.hidden = share === undefined;
  const bar = track.firstElementChild as HTMLElement;
  bar.style.width = `${Math.min(100, (share ?? 0) * 100)}%`;
  bar.className = (share ?? 0) >= 0.95 ? "full" : (share ?? 0) >= 0.8 ? "high" : "";
}

const LABELS = ["Name", "State", "CPU", "Memory", "Processes", "I/O", "Drift", "Last minutes"];

export function rowFor(object: Summary): Row {
  const element = document.createElement("tr");
  element.dataset["key"] = object.key;
  const cells = LABELS.map((label) => {
    const cell = document.createElement("td");
    cell.dataset["label"] = label;
    element.append(cell);
    return cell;
  });
  const row: Row = { object, element, cells, points: [], chart: undefined, visible: false };
  rows.set(object.key, row);
  watcher.observe(element);
  return row;
}

export function showObject(row: Row): void {
  const { object, cells } = row;
  const [name, state, , , , , drift] = cells as [
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
  ];
  const button = name.querySelector("button") ?? make("button", object.name, { type: "button", class: "name", tabindex: "-1" });
  const inside = object.parent === null ? "" : `, inside ${object.parent.slice("LimitGroup/".length)}`;
  name.replaceChildren(
    button,
    make("span", inside, { class: "hidden" }),
    document.createTextNode(" "),
    make("span", object.kind === "Workload" ? "workload" : "group", { class: "kind" }),
  );
  const more = object.kind === "Workload" ? `${object.replicas} ready${object.restarts > 0 ? `, ${object.restarts} restarts` : ""}` : "";
  const box = make("div");
  box.append(make("span", object.ready ? object.state || "Ready" : object.reason, { class: object.ready ? "good" : "warn", title: object.message }));
  if (more !== "") box.append(make("div", more, { class: "soft" }));
  state.replaceChildren(box);
  drift.replaceChildren(
    make("span", object.drift === 0 ? "none" : object.drift === 1 ? "once" : `${object.drift} times`, { class: object.drift === 0 ? "soft" : "warn" }),
  );
  showUsage(row);
}

export function showUsage({ object: { limits }, cells, points }: Row): void {
  const last = points.at(-1);
  const [, , cpu, memory, pids, io] = cells as readonly HTMLTableCellElement[] as [
    unknown,
    unknown,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
    HTMLTableCellElement,
  ];
  if (!last) {
    for (const [cell, text] of [
      [cpu, "…"],
      [memory, "…"],
      [pids, "…"],
    ] as const)
      gauge(cell, text, undefined, "not measured yet");
    return;
  }
  const used = percent(last.cpu);
  const throttled = last.throttled > 0.01 ? `, throttled ${percent(last.throttled)}` : "";
  gauge(
    cpu,
    limits.cpu === null ? `${used}${throttled}` : `${used} of ${percent(limits.cpu)}${throttled}`,
    limits.cpu === null ? undefined : last.cpu / limits.cpu,
    `CPU ${used}${limits.cpu === null ? ", no limit" : ` of ${percent(limits.cpu)}`}`,
  );
  gauge(
    memory,
    limits.memory === null ? bytes(last.memory) : `${bytes(last.memory)} of ${bytes(limits.memory)}`,
    limits.memory === null ? undefined : last.memory / limits.memory,
    `Memory ${bytes(last.memory)}${limits.memory === null ? ", no limit" : ` of ${bytes(limits.memory)}`}`,
  );
  gauge(
    pids,
    limits.pids === null ? String(last.pids) : `${last.pids} of ${limits.pids}`,
    limits.pids === null ? undefined : last.pids / limits.pids,
    `${last.pids} processes${limits.pids === null ? ", no limit" : ` of ${limits.pids}`}`,
  );
  io.textContent = last.read + last.write < 1 ? "–" : `${bytes(last.read)}/s in, ${bytes(last.write)}/s out`;
}

/** CPU over the last minutes. */
export function drawLine(row: Row): void {
  const cell = row.cells[7];
  if (!cell || !row.visible || row.points.length < 2) return;
  const data: uPlot.AlignedData = [row.points.map(({ time }) => time / 1000), row.points.map(({ cpu }) => cpu * 100)];
  if (row.chart) {
    row.chart.setData(data);
    return;
  }
  const box = make("div", "", { class: "spark", role: "img", "aria-label": "CPU over the last minutes" });
  cell.replaceChildren(box);
  row.chart = new uPlot(
    {
      width: 120,
      height: 28,
      pxAlign: false,
      cursor: { show: false },
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, row.object.limits.cpu === null ? high : Math.max(high, row.object.limits.cpu * 100))] } },
      series: [{}, { stroke: () => colour("--blue"), width: 1.5, points: { show: false } }],
    },
    data,
    box,
  );
}

/** Groups, each followed by what is inside of it. */
export function arrange(): void {
  const wanted = byId<HTMLInputElement>("filter").value.trim().toLowerCase();
  const children = new Map<string | null, Row[]>();
  for (const row of rows.values()) {
    const parent = row.object.parent !== null && rows.has(row.object.parent) ? row.object.parent : null;
    children.set(parent, [...(children.get(parent) ?? []), row]);
  }
  const order: HTMLTableRowElement[] = [];
  const fits = ({ object }: Row): boolean => wanted === "" || `${object.name} ${object.reason} ${object.state}`.toLowerCase().includes(wanted);
  const add = (parent: string | null, level: number): boolean => {
    let any = false;
    for (const row of (children.get(parent) ?? []).sort((a, b) => a.object.key.localeCompare(b.object.key))) {
      const at = order.length;
      const below = add(row.object.key, level + 1);
      const shown = below || fits(row);
      row.element.hidden = !shown;
      const [name] = row.cells;
      if (name) name.style.paddingLeft = `${0.6 + (level - 1) * 1.3}rem`;
      order.splice(at, 0, row.element);
      any ||= shown;
    }
    return any;
  };
  add(null, 1);
  const body = byId("rows");
  if (order.some((element, index) => body.children[index] !== element)) body.replaceChildren(...order);
  byId("none").hidden = rows.size > 0;
  // One of the rows is reached by Tab, the others from there by arrow keys.
  if (!body.querySelector('tr:not([hidden]) button[tabindex="0"]'))
    order
      .find((element) => !element.hidden)
      ?.querySelector("button")
      ?.setAttribute("tabindex", "0");
  showTiles();
}

export function showTiles(): void {
  const all = [...rows.values()].map(({ object }) => object);
  const count = (test: (object: Summary) => boolean): number => all.filter(test).length;
  const tiles: [string, number, boolean][] = [
    ["groups", count(({ kind }) => kind === "LimitGroup"), false],
    ["workloads", count(({ kind }) => kind === "Workload"), false],
    ["not ready", count(({ ready }) => !ready), true],
    ["drifted so far", all.reduce((sum, { drift }) => sum + drift, 0), false],
    ["restarts", all.reduce((sum, { restarts }) => sum + restarts, 0), false],
  ];
  byId("tiles").replaceChildren(
    ...tiles.map(([label, number, bad]) => {
      const tile = make("div", "", { class: bad && number > 0 ? "tile bad" : "tile" });
      tile.append(make("b", String(number)), make("span", label));
      return tile;
    }),
  );
}

/** From one row to another; so many rows on. */
export function moveFocus(from: HTMLElement, step: number): void {
  const shown = ([...byId("rows").children] as HTMLElement[]).filter((element) => !element.hidden);
  const target = shown[Math.max(0, Math.min(shown.length - 1, shown.indexOf(from) + step))]?.querySelector("button");
  if (!target) return;
  for (const button of byId("rows").querySelectorAll<HTMLElement>('button[tabindex="0"]')) button.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}
